# docs/recipe.md says what the program says.
source "$QFW_SOURCE_DIR/tests/end_to_end/support.bash"
expect 0 "as the program says" "$QFW_SOURCE_DIR/scripts/recipe_reference.sh" --check

# Every key that a resolved recipe has stands there, in its section; so does every plugin.
"$QFW" explain "$QFW_SOURCE_DIR/recipes/quickstart.ini" --setting=dataset --json | grep -oE '"key": "[a-z_]+"' | cut -d'"' -f4 > keys
[ "$(wc -l < keys)" -gt 10 ] || fail "explain lists $(wc -l < keys) keys of [dataset]"
sed -n '/^## \[dataset\]/,/^## \[augment\]/p' "$QFW_SOURCE_DIR/docs/recipe.md" > section
while read -r key; do
  grep -q "^| \`$key\` |" section || fail "no dataset.$key in docs/recipe.md"
done < keys
"$QFW" list --json | grep -oE '"name": "[a-z_]+"' | cut -d'"' -f4 | while read -r plugin; do
  grep -qE "^### .*\`$plugin\`" "$QFW_SOURCE_DIR/docs/recipe.md" || fail "no plugin $plugin in docs/recipe.md"
done

# A file that says something else is told from one that does not, with the command that renews it.
mkdir -p tree/docs tree/scripts
cp "$QFW_SOURCE_DIR/scripts/recipe_reference.sh" tree/scripts/
sed 's/images of a step/pictures of a step/' "$QFW_SOURCE_DIR/docs/recipe.md" > tree/docs/recipe.md
expect 1 "renew it with scripts/recipe_reference.sh" tree/scripts/recipe_reference.sh --check
tree/scripts/recipe_reference.sh
cmp tree/docs/recipe.md "$QFW_SOURCE_DIR/docs/recipe.md" || fail "renewing it makes another file"
