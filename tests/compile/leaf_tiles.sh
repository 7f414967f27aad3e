#!/bin/bash
# An instance of the product's leaf holds the tiles that the program can reach: those of the row numbers that its tiles
# of rows have.  NNC is set by CTest.
set -u
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0
# $1: rows; $2: the bits that templates/mma.h wants for them.
check() {
    cat >model.nn <<END
module Net {
    self.fc = nn.Linear(32, 64)
    def forward(self, x: f32[$1, 32]) -> f32[$1, 64] { return self.fc(x) }
}
export Net() as net
END
    "$NNC" model.nn -o model.c || exit 1
    instance=$(grep '^NN_MMA(' model.c)
    case "$instance" in
    "NN_MMA(nn_mma_f32_sss, "*", $2, 64)") ;;
    *) echo "FAILED: $1 rows: $instance"; failed=1 ;;
    esac
}
check 6 0x40    # one whole tile
check 24 0x40   # four
check 16 0x50   # two, and four rows
check 3 0x8
check 30 0x40   # tiles of 24 and of 6 rows
check 34 0x50   # of 24 and of 10
check 26 0x144  # of 24 and of 2, which may be two rows alone
check N 0x1fe   # anything
exit $failed
