# Data parallel training in one process: two replicas, each with its own variables.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
tiny_recipe > tiny.ini
two=(--communicator.name=threads --communicator.replicas=2)

expect 0 "^eval_accuracy [0-9.]+ " "$QFW" run tiny.ini --run.dir=two "${two[@]}"
"$QFW" run tiny.ini --run.dir=again "${two[@]}" 2> /dev/null
cmp two/checkpoints/step_000000020.h5 again/checkpoints/step_000000020.h5 || fail "equal runs on two replicas differ"

# Each takes half of every batch, so it is another run than one replica's (batch statistics), but it learns the same.
"$QFW" run tiny.ini --run.dir=one 2> /dev/null
a=$(json_field eval_loss < one/report.json) b=$(json_field eval_loss < two/report.json)
awk -v a="$a" -v b="$b" 'BEGIN { d = a - b; exit !(d < 0.2 && d > -0.2) }' || fail "eval_loss $a on one replica, $b on two"

# Evaluation is shared out, every image once and in order: the same logits whatever the number of replicas.
for replicas in 1 2 4; do
  "$QFW" eval two --eval.batch_size=7 --communicator.replicas=$replicas --logits=logits_$replicas.h5 > scores_$replicas.txt 2> /dev/null
done
for replicas in 2 4; do
  cmp logits_1.h5 logits_$replicas.h5 || fail "$replicas replicas evaluate to other logits than 1"
  cmp scores_1.txt scores_$replicas.txt || fail "$replicas replicas evaluate to other scores than 1"
done

# Resume is exact; the history knows of one evaluation more.
"$QFW" run tiny.ini --run.dir=parts --train.steps=9 "${two[@]}" 2> /dev/null
"$QFW" run tiny.ini --run.dir=parts "${two[@]}" 2> /dev/null
h5diff two/checkpoints/step_000000020.h5 parts/checkpoints/step_000000020.h5 /variables /variables || fail "a resumed run on two replicas differs"

expect 2 "a batch of 32 cannot be shared evenly by 3 replicas" "$QFW" run tiny.ini --run.dir=three --communicator.name=threads --communicator.replicas=3
expect 1 "the loss of step [0-9]+ is (nan|infinite): .* comes from" "$QFW" run tiny.ini --run.dir=nan "${two[@]}" \
  --schedule.base_learning_rate=1e30 --schedule.warmup_epochs=0
