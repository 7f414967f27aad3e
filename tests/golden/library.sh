# `nnc library`, which docs/library.md is: every definition says what it is; names in all their forms; a name that is not there.
set -u
failed=0
complain() { echo "$*"; failed=1; }
page=$("$NNC" library) || complain "nnc library fails"
# A definition without a comment has nothing between its heading and its block.
bare=$(printf '%s\n' "$page" | awk '/^#### / { name = $2; next } /^```py/ && name { print name } NF { name = "" }')
[ -z "$bare" ] || complain "without a comment: $bare"
[ "$(printf '%s\n' "$page" | grep -c '^#### ')" -gt 400 ] || complain "definitions are missing"
for name in nn.Linear torch.nn.Linear Linear; do
    [ "$("$NNC" library "$name" | head -1)" = "nn.Linear(in_features: int, out_features: int, bias: bool = True, dtype: dtype = torch.float32)" ] ||
        complain "$name was not found"
done
"$NNC" library torch.nn.functional.relu F.relu | grep -c '^F.relu(' | grep -qx 2 || complain "F.relu was not found twice"
"$NNC" library torch.optim.lr_scheduler.StepLR optim.SGD | grep -cE '^(lr_scheduler.StepLR|optim.SGD)\(' | grep -qx 2 ||
    complain "a name of torch's own was not found"
"$NNC" library --source nn.Linear | grep -q 'param weight: dtype\[out_features, in_features\]' || complain "no source"
said=$("$NNC" library nn.Conv2 2>&1)
[ $? -eq 2 ] || complain "a name that is not there: $?"
case $said in *"the library has no nn.Conv2; did you mean nn.Conv"*) ;; *) complain "$said" ;; esac
said=$("$NNC" library nn.Whatever_it_is 2>&1)
case $said in *"the library has no nn.Whatever_it_is; \`nnc library\` prints all of it"*) ;; *) complain "$said" ;; esac
printf '%s\n' "$page" | cmp -s - "$SOURCE_DIR/docs/library.md" || complain "docs/library.md is old: nnc library >docs/library.md"
exit $failed
