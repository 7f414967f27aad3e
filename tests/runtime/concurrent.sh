# Threads that walk an entry's steps together: the same bits as serially, and no data race that ThreadSanitizer sees.
. "$SOURCE_DIR/tests/runtime/common.bash"
flags="-I. -iquote $SOURCE_DIR/templates -iquote $SOURCE_DIR/runtime -Wall -Wextra -Wno-unknown-pragmas"
runtime="$SOURCE_DIR/runtime/pool.c $SOURCE_DIR/runtime/array.c $SOURCE_DIR/runtime/io.c $SOURCE_DIR/runtime/leftovers.c"
# So that the steps of small models are shared, too, and waiting threads give their processor away at once.
small="-DNN_FORK_WORK=1 -DNN_TEAM_WORK=1 -DNN_SHARE_WORK=64 -DNN_BARRIER_WORK=0 -DNN_UPDATE_WORK=0 -DNN_SPINS=4"

try() { # try NAME CALLS FLAGS...: model.c of the folder
    local name=$1 calls=$2
    shift 2
    cc $flags $small "$@" "$here/concurrent.c" model.c $runtime -o "$name" -lm -pthread || fail "compiling $name"
    TSAN_OPTIONS="halt_on_error=1 exitcode=66" "./$name" "$calls" >out.txt 2>err.txt || { cat out.txt err.txt; fail "$name"; }
    grep -q "^8 comparisons, [1-9][0-9]* refusals" out.txt || { cat out.txt; fail "$name compared too little"; }
}

"$NNC" "$here/models/team.nn" -o model.c || fail "emitting"
if echo 'int main(void) { return 0; }' | cc -fsanitize=thread -xc - -o probe 2>/dev/null && ./probe; then
    try team 3 -O1 -g -fsanitize=thread -DMODEL=Team_model
else
    try team 20 -O1 -DMODEL=Team_model
fi
# The same text as C++, and as plain C without GNU builtins (which forks once a step).
g++ -fsyntax-only -w -xc++ model.c || fail "model.c is not C++"
"$NNC" --target=c99 "$here/models/team.nn" -o model.c || fail "emitting c99"
try plain 5 -O1 -DMODEL=Team_model -DEACH_STEP=1
