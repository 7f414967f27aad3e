#!/bin/bash
# An hour of every fuzz target under libFuzzer (clang), then a hundred accepted programs compiled:
# fuzz.sh [SECONDS [TARGET...]]
# Inputs that are found are kept, minimised, in build/fuzz/found/TARGET, crashes in build/fuzz/crashes.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=${1:-3600}
[ $# -eq 0 ] || shift
wanted=" $* "
cmake --preset fuzz >/dev/null && cmake --build --preset fuzz --target fuzz || exit 1
mkdir -p build/fuzz/crashes
figures= failed=0
for program in build/fuzz/tests/fuzz/libfuzzer_*; do
    target=${program##*libfuzzer_}
    [ "$wanted" = "  " ] || [[ $wanted = *" $target "* ]] || continue
    mkdir -p "build/fuzz/found/$target"
    build/fuzz/tests/fuzz/fuzz_"$target" --words >build/fuzz/words.dict 2>/dev/null
    "$program" -max_total_time="$seconds" -max_len=8192 -rss_limit_mb=1024 -malloc_limit_mb=512 -timeout=60 \
        -dict=build/fuzz/words.dict -print_final_stats=1 -artifact_prefix="build/fuzz/crashes/$target-" \
        "build/fuzz/found/$target" "tests/fuzz/corpus/$target" >build/fuzz/log 2>&1 || { failed=$((failed + 1)); tail -40 build/fuzz/log; }
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' build/fuzz/log)
    figures+=" $target ${runs:-0}"
    # Of what was found only the inputs are kept that reach what the smaller ones and the corpus do not.
    rm -rf build/fuzz/merged && cp -r "tests/fuzz/corpus/$target" build/fuzz/merged
    if "$program" -merge=1 -max_len=8192 -rss_limit_mb=1024 build/fuzz/merged "build/fuzz/found/$target" >build/fuzz/log 2>&1; then
        for file in "tests/fuzz/corpus/$target"/*; do rm "build/fuzz/merged/${file##*/}"; done
        rm -rf "build/fuzz/found/$target" && mv build/fuzz/merged "build/fuzz/found/$target"
    fi
done
accepted=$(FUZZ_LANGUAGE=$PWD/build/fuzz/tests/fuzz/fuzz_language SOURCE_DIR=$PWD bash tests/fuzz/accepted.sh 100 $RANDOM | tee build/fuzz/log | tail -1) ||
    failed=$((failed + 1))
case $accepted in *" 0 whose"*) ;; *) failed=$((failed + 1)); cat build/fuzz/log ;; esac
echo "fuzz: executions in $seconds s each:$figures; $accepted; $failed targets failed"
[ "$failed" -eq 0 ]
