# The backend `cuda` above an emulated device (tests/emulated_device): a run, its resumption, replicas, and evaluations that equal cpu's.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
plugin=$QFW_BINARY_DIR/tests/emulated/libqfw_backend_cuda_emulated.so
[ -e "$plugin" ] || { echo "the backend cuda is not built"; exit 77; }
export QFW_PLUGIN_PATH=$QFW_BINARY_DIR/tests/emulated
tiny_recipe > tiny.ini
gpu=(--backend.name=cuda_emulated --train.steps=6 --train.batch_size=16 --eval.examples=32)

expect 0 "^eval_accuracy [0-9.]+ " "$QFW" run tiny.ini --run.dir=whole "${gpu[@]}"
grep -q '"name": "cuda_emulated"\|cuda, emulated on the host' whole/environment.json || fail "environment.json does not tell the device: $(cat whole/environment.json)"

# It trains as cpu does, but for last bits.
"$QFW" run tiny.ini --run.dir=cpu --train.steps=6 --train.batch_size=16 --eval.examples=32 2> /dev/null
a=$(json_field eval_loss < cpu/report.json) b=$(json_field eval_loss < whole/report.json)
awk -v a="$a" -v b="$b" 'BEGIN { d = a - b; exit !(d < 0.02 && d > -0.02) }' || fail "eval_loss $a on cpu, $b on the emulated device"

# Resume is exact.
"$QFW" run tiny.ini --run.dir=parts "${gpu[@]}" --train.steps=4 2> /dev/null
expect 0 "resuming after step 4" "$QFW" run tiny.ini --run.dir=parts "${gpu[@]}"
h5diff whole/checkpoints/step_000000006.h5 parts/checkpoints/step_000000006.h5 /variables /variables || fail "a resumed run differs"

# So is a run that starts its kernels one after the other.
"$QFW" run tiny.ini --run.dir=checked "${gpu[@]}" --backend.launch=checked 2> /dev/null
h5diff whole/checkpoints/step_000000006.h5 checked/checkpoints/step_000000006.h5 /variables /variables || fail "a run with launch = checked differs"

# In f16, with a loss scale that adapts; what it skipped, if anything, is told.
expect 0 "^eval_accuracy [0-9.]+ " "$QFW" run tiny.ini --run.dir=half "${gpu[@]}" --backend.compute=f16
h=$(json_field eval_loss < half/report.json)
awk -v a="$a" -v b="$h" 'BEGIN { d = a - b; exit !(d < 0.2 && d > -0.2) }' || fail "eval_loss $a on cpu, $h in f16"
h5dump -d /variables/loss_scale/scale half/checkpoints/step_000000006.h5 > /dev/null || fail "the loss scale is not in the checkpoint"

# Replicas reduce over devices; each takes the next one of the list.
two=(--communicator.name=threads --communicator.replicas=2 --backend.device=0,1)
expect 0 "^eval_accuracy [0-9.]+ " "$QFW" run tiny.ini --run.dir=two "${gpu[@]}" "${two[@]}"
"$QFW" run tiny.ini --run.dir=again "${gpu[@]}" "${two[@]}" 2> /dev/null
cmp two/checkpoints/step_000000006.h5 again/checkpoints/step_000000006.h5 || fail "equal runs on two devices differ"

# Where replicas share a device, the host reduces: the same sums.
"$QFW" run tiny.ini --run.dir=shared "${gpu[@]}" "${two[@]}" --backend.device=0,0 2> /dev/null
grep -q '"emulated": ' two/environment.json || fail "environment.json does not tell who reduces: $(cat two/environment.json)"
grep -q '"by the host": ' shared/environment.json || fail "environment.json does not tell who reduces: $(cat shared/environment.json)"
h5diff two/checkpoints/step_000000006.h5 shared/checkpoints/step_000000006.h5 /variables /variables || fail "replicas on one device differ"

# A network of integers has the logits of cpu, bit for bit.
"$QFW" eval cpu --backend.name=cuda_emulated --eval.examples=32 --logits=gpu.h5 > gpu.txt 2> /dev/null
"$QFW" eval cpu --eval.examples=32 --logits=cpu.h5 > cpu.txt 2> /dev/null
cmp gpu.txt cpu.txt || fail "scores differ: $(cat gpu.txt cpu.txt)"
h5diff gpu.h5 cpu.h5 || fail "logits differ"
