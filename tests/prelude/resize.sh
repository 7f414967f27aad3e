# Interpolation and pools of ceil_mode on axes whose length only a call knows: the values and derivatives of known lengths, checks of
# the call where there is nothing to read, and one message that names the axis for what needs a length.
. "$SOURCE_DIR/tests/expect.bash"
. "$SOURCE_DIR/tests/prelude/net.bash"
# The numbers of the results, one a line; the reference interpreter needs no C compiler.
values() {
    rm -f out/*.npy
    "$NNC" run --engine=interp --output-dir=out net.nn --input x=randn "$@" >run.out 2>&1 || cat run.out
    local file
    for file in out/*.npy; do od -An -v -w4 -tf4 -j $((10 + $(od -An -tu2 -j8 -N2 "$file"))) "$file"; done
}
same() { # WHAT KNOWN OPEN: equal but for rounding
    paste <(echo "$2") <(echo "$3") | awk 'NF != 2 || ($1 - $2)^2 > 1e-10 { bad = 1 } END { exit bad || NR < 20 }' ||
        { echo "$1: $(wc -l <<<"$3") values, not those $(wc -l <<<"$2") of known lengths:"; paste <(echo "$2") <(echo "$3") | head -30; failed=1; }
}
mkdir -p out
every() { # SIZE AND FACTORS: in every mode
    local calls=
    for more in '' ', "nearest-exact"' ', "bilinear"' ', "bilinear", True' ', "bicubic"' ', "bicubic", True' ', "area"'; do
        calls+="F.interpolate(x, $1$more), "
    done
    echo "torch.stack([$calls])"
}
for sizes in '3 4 6 8' '1 5 4 1' '7 4 3 9' '5 2 1 11' '2 3 2 3' '7 3 48 50'; do
    read -r h w p q <<<"$sizes"
    net "$(every "($p, $q), None")" "1, 2, $h, $w" "7, 1, 2, $p, $q"
    known=$(values --input dy=randn)
    net "$(every 'dy.shape[3:], None')" '1, 2, H, W' '7, 1, 2, P, Q'
    same "interpolate $sizes" "$known" "$(values --input dy=randn --bind H="$h" --bind W="$w" --bind P="$p" --bind Q="$q")"
done
net "$(every 'None, (2, 4)')" '1, 2, 3, 5' '7, 1, 2, 6, 20'
known=$(values --input dy=randn)
net "$(every 'None, (2, 4)')" '1, 2, H, W' '7, 1, 2, 2 * H, 4 * W'
same 'interpolate by (2, 4)' "$known" "$(values --input dy=randn --bind H=3 --bind W=5)"
net "$(every 'None, (1.5, 0.5)')" '1, 2, 5, 7' '7, 1, 2, 7, 3'
known=$(values --input dy=randn)
net "$(every 'None, (1.5, 0.5)')" '1, 2, H, W' '7, 1, 2, H * 3 // 2, W // 2'
same 'interpolate by (1.5, 0.5)' "$known" "$(values --input dy=randn --bind H=5 --bind W=7)"
net 'F.interpolate(x, dy.shape[2:], mode="bilinear")' 'N, 2, H, W' 'N, 2, P, Q'
expect 1 'interpolate: axis 3 has no elements: (N, 2, H, W)' "$NNC" run net.nn --input x=ones --input dy=ones --bind N=1 --bind H=2 --bind W=0 --bind P=2 --bind Q=2
expect 0 'y f32[1, 2, 0, 3]' "$NNC" run net.nn --input x=ones --input dy=ones --bind N=1 --bind H=2 --bind W=2 --bind P=0 --bind Q=3

pooled() { # EXPRESSION LENGTH
    cat >net.nn <<END
module Net {
    def forward(self, x: f32[2, $2]) -> (y: f32[2, P], dx: f32[2, $2]) {
        y = $1
        return y, torch.autograd.grad((y * y).sum(), x)[0]
    }
}

export Net() as net
END
}
calls=
for call in 'max_pool1d(x, 2' 'max_pool1d(x, 2, 3, 1' 'max_pool1d(x, 3, 2, 1' 'max_pool1d(x, 2, 2, 0, 2' 'avg_pool1d(x, 3, 2, 1' 'avg_pool1d(x, 2, 3, 1' \
    'avg_pool1d(x, 3, 3, count_include_pad=False' 'lp_pool1d(x, 2.0, 3, 2'; do
    calls+="F.$call, ceil_mode=True), "
done
for length in 3 4 5 6 7 11; do
    pooled "torch.cat([$calls], -1)" "$length"
    known=$(values)
    pooled "torch.cat([$calls], -1)" L
    same "pools of $length" "$known" "$(values --bind L="$length")"
done

# What needs a length is refused once: the step of a trainer adds no message of its own.
trainer() {
    cat >net.nn <<END
module Net {
    self.stem = nn.Conv2d(3, 2, 3, padding=1)
    def forward(self, x: f32[N, 3, H, W]) -> f32[N, 2, P, Q] { return F.interpolate(self.stem(x), $1) }
}
module Trainer {
    self.net = Net()
    self.opt = optim.SGD(self.net.parameters(), 0.1)
    def forward(self, x: f32[N, 3, H, W]) -> f32[] {
        loss = self.net(x).sum()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.opt.step()
        return loss
    }
}

export Trainer() as net
END
    [ "$("$NNC" check net.nn 2>&1 | grep -c '^error')" = 1 ] || { echo "$1: more than one error"; failed=1; }
    expect 1 "$2" "$NNC" check net.nn
}
trainer 'scale_factor=1.7' 'interpolate: axis 2 has no length while compiling, and scale_factor 1.7 is no multiple of 1/64: (N, 2, H, W)'
trainer 'scale_factor=2, mode="bicubic", antialias=True' 'interpolate: antialias=True needs axes of known length, not axis 2 of (N, 2, H, W) to 2*H'
exit $failed
