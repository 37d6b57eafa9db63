# report.html at the end of a run, whatever ends it; qfw report of one run and of several.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
sample=$QFW_BINARY_DIR/tests/bin/sample_run
tiny_recipe > tiny.ini
is_page() { [ -s "$1" ] && grep -q '<meta name="generator" content="qfw">' "$1" || fail "$1 is no page"; }

"$QFW" run tiny.ini --run.dir=run > out 2> err
is_page run/report.html
grep -q '"name":"finished"' run/report.html || fail "the page of a finished run does not say so"
find run -name '*.tmp*' | grep . && fail "temporary files are left"

# Made again, also of a run that lacks files, and of one that was stopped.
rm run/report.html
expect 0 '^run/report.html$' "$QFW" report run
is_page run/report.html
expect 0 '^elsewhere.html$' "$QFW" report run --out=elsewhere.html
is_page elsewhere.html
cp -r run bare
find bare -name '*.json' -delete
expect 0 '^bare/report.html$' "$QFW" report bare
"$QFW" run tiny.ini --run.dir=diverged --schedule.base_learning_rate=1e30 --schedule.warmup_epochs=0 > /dev/null 2>&1 && fail "it did not diverge"
grep -q '"name":"diverged"' diverged/report.html || fail "no page of the diverged run"
"$QFW" run tiny.ini --run.dir=stopped --train.steps=100000 --schedule.num_epochs=400 > /dev/null 2>&1 &
pid=$!
wait_for stopped/checkpoints/step_000000005.h5
kill -INT $pid
wait $pid || true
grep -q '"name":"interrupted"' stopped/report.html || fail "no page of the interrupted run"

# The page costs no run: where it cannot be written that is a warning, and nobody's file is replaced.
mkdir foreign && echo "mine" > foreign/report.html
expect 0 'no report.html: .*no page of qfw' "$QFW" run tiny.ini --run.dir=foreign --train.steps=2
[ "$(cat foreign/report.html)" = mine ] || fail "a file that is no page was replaced"
mkdir -p blocked/report.html
expect 0 'no report.html: ' "$QFW" run tiny.ini --run.dir=blocked --train.steps=2

# As JSON.
"$QFW" report run --json > run.json
[ "$(json_field name < run.json)" = '"run"' ] || fail "$(head -c 300 run.json)"
grep -q '"loss": \[' run.json || fail "no curve in the document"

expect 0 '^own.json$' "$QFW" report run --json --out=own.json
[ "$(json_field name < own.json)" = '"run"' ] || fail "$(head -c 300 own.json)"
expect 2 'would replace a file of a run' "$QFW" report run --json --out=run/recipe.ini
for json in "" --json; do
  expect 2 '--out has an empty value' "$QFW" report run $json --out=
  expect 2 '--out=- names no file' "$QFW" report run $json --out=-
done

# Side by side.
"$sample" small && "$sample" large resnet50 && "$sample" other bits=8 accuracy=0.93 seed=3
expect 0 '^compare.html$' "$QFW" report run small other
is_page compare.html
"$QFW" report small > /dev/null
expect 0 '^large/report.html$' "$QFW" report large
[ "$(stat -c %s large/report.html)" -lt 6000000 ] || fail "a page of $(stat -c %s large/report.html) bytes"

# What the page admits are its own scripts: the digests in it are those of the texts between its tags.
if command -v python3 > /dev/null; then
  python3 - small/report.html << 'PYTHON' || fail "a script or style is not admitted by the page's policy"
import base64, hashlib, re, sys
page = open(sys.argv[1], encoding="utf-8", newline="").read()
policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page).group(1)
texts = re.findall(r"<script>(.*?)</script>", page, re.S) + re.findall(r"<style>(.*?)</style>", page, re.S)
assert len(texts) > 10
for text in texts:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy, text[:60]
PYTHON
fi

# Errors.
expect 2 'there is nothing at this path .*nowhere' "$QFW" report nowhere
expect 2 'this is a file, not the folder of a run' "$QFW" report run/recipe.ini
expect 2 'this is no run folder' "$QFW" report .
expect 2 'is given twice' "$QFW" report run ./run
expect 2 'wants RUN' "$QFW" report
expect 2 "no page of qfw's .*recipe.ini" "$QFW" report run --out=run/recipe.ini
grep -q '^name = resnet' run/recipe.ini || fail "the recipe was replaced"
# What may not be read cannot be told from somebody else's, and stays. Root may read everything: it takes the part of another user.
others() { "$@"; }
if [ "$(id -u)" = 0 ]; then others() { setpriv --reuid=65534 --clear-groups "$@"; }; fi
mkdir elsewhere && echo mine > elsewhere/closed.html && chmod 000 elsewhere/closed.html
[ "$(id -u)" != 0 ] || chown -R 65534 elsewhere
expect 2 "no page of qfw's .*elsewhere/closed.html" others "$QFW" report run --out=elsewhere/closed.html
chmod 644 elsewhere/closed.html
[ "$(cat elsewhere/closed.html)" = mine ] || fail "a page that could not be read was replaced"
expect 1 'cannot write' "$QFW" report run --out=nowhere/page.html
