# Adaptive pooling and interpolation to many places: the code does not grow with them, and an axis whose length only a call knows has the
# values of one of known length.
. "$SOURCE_DIR/tests/expect.bash"
. "$SOURCE_DIR/tests/prelude/net.bash"
lines() { timeout 20 "$NNC" net.nn -o - | wc -l; }
for name in max avg; do
    net "F.adaptive_${name}_pool2d(x, 21)" 'N, 2, 43, 44' 'N, 2, 21, 21'
    few=$(lines)
    net "F.adaptive_${name}_pool2d(x, 128)" 'N, 2, 259, 257' 'N, 2, 128, 128'
    many=$(lines)
    [ "$few" -gt 100 ] && [ $((many * 10)) -lt $((few * 11)) ] || { echo "$name: $few lines for 21 places, $many for 128"; failed=1; }
    for length in 1 3 31 32 33 64 100; do
        net "F.adaptive_${name}_pool1d(x, 32)" "2, $length" '2, 32'
        known=$("$NNC" run --default-dtype=f64 net.nn --input x=randn --input dy=randn)
        net "F.adaptive_${name}_pool1d(x, 32)" '2, L' '2, 32'
        open=$("$NNC" run --default-dtype=f64 net.nn --input x=randn --input dy=randn --bind L=$length)
        [ -n "$known" ] && [ "$known" = "$open" ] || { echo "$name of $length: $open instead of $known"; failed=1; }
    done
    expect 1 "adaptive_${name}_pool1d: axis 1 has no elements: (2, L)" "$NNC" run net.nn --input x=ones --input dy=ones --bind L=0
    net "F.adaptive_${name}_pool2d(x, (0, 3))" 'N, 2, 5, 6' 'N, 2, 0, 3'
    expect 0 'dx f32[2, 2, 5, 6]' "$NNC" run net.nn --input x=ones --input dy=ones --bind N=2
    net "F.adaptive_${name}_pool1d(x, -2)" 'N, 2, 5' 'N, 2, 2'
    expect 1 "adaptive_${name}_pool1d: output_size -2 has a negative extent" "$NNC" check net.nn
    net "F.adaptive_${name}_pool2d(x, 2)" 'N, 5' 'N, 2'
    expect 1 "adaptive_${name}_pool2d expects an input of 3 or 4 dimensions, not 2: (N, 5)" "$NNC" check net.nn
done
# So does nearest interpolation, whose places repeat or do not.
for sizes in '30 61' '64 97' '40 80' '96 64' '64 50'; do
    from=${sizes% *} to=${sizes#* }
    net "F.interpolate(x, $to)" "N, 2, $from, $from" "N, 2, $to, $to"
    [ "$(lines)" -gt 100 ] && [ "$(lines)" -lt 2500 ] || { echo "interpolate $sizes: $(lines) lines"; failed=1; }
done
exit $failed
