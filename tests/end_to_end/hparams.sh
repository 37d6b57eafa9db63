# The original's hyperparameters: printed, converted, generated, kept in a run folder and read again.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
golden=${QFW_GOLDEN_DIR:-$QFW_SOURCE_DIR/tests/golden}/hparams
images="--dataset.name=elsewhere --dataset.shape=224,224,3 --dataset.classes=1000 --dataset.train_examples=1281167"

# From flags, and what the flags say arrives in a recipe.
flags="--model=resnet29 --quant_target=WEIGHTS_AND_AUTO_ACTS --prec=4 --init_prec=8 --half_shift=true --num_epochs=90 --optimizer=adam"
"$QFW" hparams generate $flags --output=hparams.json
"$QFW" hparams generate $flags --form=config > config.json
for file in hparams.json config.json; do
  "$QFW" hparams convert $file --to=recipe > $file.ini 2> /dev/null
  for line in "stages = 2,2,3,2|depth = 29" "name = weights_and_auto_acts" "weight_prec = 4" "weight_half_shift = true" "num_epochs = 90" "name = adam"; do
    grep -Eq "^($line)$" $file.ini || fail "$file: the recipe lacks '$line'"
  done
done
cmp hparams.json.ini config.json.ini || fail "the two forms make different recipes"

# Either form can be made from the other, and from the recipe.
"$QFW" hparams convert config.json --to=hparams 2> /dev/null | cmp - hparams.json || fail "config -> hparams differs from what is generated"
"$QFW" hparams convert hparams.json --to=config 2> /dev/null | cmp - config.json || fail "hparams -> config differs from what is generated"
printf 'base_config_filename = hparams.json\n' > from_file.ini
"$QFW" hparams print from_file.ini $images 2> /dev/null | cmp - hparams.json || fail "a recipe prints other hyperparameters than it was made from"
"$QFW" hparams print from_file.ini $images --quantizer.weight_prec=2 --form=config 2> /dev/null > changed.json
grep -q '"weight_prec": 2' changed.json || fail "overrides of the command line are not printed"

# Whatever the reference data hold: ours are converted to the same file again, others are refused.
for file in "$golden"/*.hparams.json; do
  config=${file%.hparams.json}.config.json
  if "$QFW" hparams convert "$file" > one.json 2> /dev/null; then
    "$QFW" hparams convert "$config" > two.json 2> /dev/null || fail "$config is refused, $file is not"
    cmp one.json two.json || fail "$config and $file differ"
  else
    expect 2 "only .* is supported|is unknown|no key" "$QFW" hparams convert "$config"
  fi
done

# Usage.
expect 2 "no flag --wieght_prec; did you mean --weight_prec" "$QFW" hparams generate --wieght_prec=4
expect 2 "1 to 8 bits" "$QFW" hparams generate --quant_target=WEIGHTS_ONLY --prec=12
expect 2 "WEIGHTS_ONLY" "$QFW" hparams generate --quant_target=SOME
expect 2 "hparams, config" "$QFW" hparams generate --form=other
expect 2 "did you mean generate" "$QFW" hparams genrate
expect 0 "^ +--activation_bound_update_freq=" "$QFW" hparams generate --help
expect 0 "^ +--weight_prec=" "$QFW" hparams flags

# A run folder keeps them where the original has words for the recipe; where not, the log says which setting it is.
tiny_recipe > tiny.ini
QFW_LOG=info expect 0 "no hparams.json: .*model.num_filters = 8" "$QFW" run tiny.ini --run.dir=without --train.steps=1
[ ! -e without/hparams.json ] || fail "hparams.json of a model that the original does not have"
"$QFW" run tiny.ini --run.dir=with --train.steps=1 --model.num_filters=64 --model.stem=imagenet > /dev/null 2>&1
grep -q '"filter_multiplier": 0.5' with/hparams.json || fail "no hparams.json in the run folder"
printf 'base_config_filename = with/hparams.json\n' > again.ini
"$QFW" hparams print again.ini $images 2> /dev/null | cmp - with/hparams.json || fail "hparams.json of a run does not load to the same"
