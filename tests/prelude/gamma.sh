# lgamma, digamma and its derivative against numbers of 40 digits: to 8 units in the last place of the value, of digamma
# and near lgamma's roots below 0 of max(1, |value|); in f32 against f64.
. "$SOURCE_DIR/tests/expect.bash"
cat >net.nn <<'END'
module Wide {
    def forward(self, x: f64[N]) -> (a: f64[N], b: f64[N], c: f64[N], d: f64[N]) {
        y = torch.digamma(x)
        z = torch.lgamma(x)
        return z, y, grad(y.sum(), x), grad(z.sum(), x)
    }
}

module Narrow {
    def forward(self, x: f32[N]) -> (a: f32[N], b: f32[N], c: f32[N], d: f32[N]) {
        y = torch.digamma(x)
        z = torch.lgamma(x)
        return z, y, grad(y.sum(), x), grad(z.sum(), x)
    }
}

export Wide() as wide
export Narrow() as narrow
END
cat >check.py <<'END'
import os
import struct
import subprocess
import sys

XS = [1e-10, 0.01, 0.3, 0.5, 0.9999, 1.0, 1.0001, 1.4616, 1.75, 2.0, 2.000001, 2.4999, 2.5001, 3.7, 7.999, 8.0, 9.99, 10.0, 57.3,
      1e6, 1e300, -0.25, -1e-5, -1.5, -2.9, -7.3, -33.125]
EXACT = [
    [23.02585092988273524, 4.599479878042021702, 1.095797994818075561, 0.5723649429247000871, 0.00005772979156119386281, 0.0,
     -0.00005771334222047126801, -0.1214862900358973284, -0.08440112102048555596, 0.0, 4.227846576245292362e-7,
     0.2846125572606826357, 0.2847531885887332464, 1.428072326665388129, 8.523145786158915488, 8.5251613610654143,
     12.77931521435019336, 12.80182748008146961, 173.5638682796914189, 12815504.56914761166, 6.897755278982137415e302,
     1.58957531255118599, 11.51293123720912446, 0.8600470153764810145, 0.6515085442272083922, -7.779101629826851671,
     -83.38837067509409432],
    [-10000000000.5772153, -100.5608854578686724, -3.502524222200133125, -1.963510026021423479, -0.5773801703298691237,
     -0.5772156649015328606, -0.5770511835143348681, -0.00003110625123034164966, 0.2474724535468611637, 0.4227843350984671394,
     0.4227849800323320209, 0.7031076036885754831, 0.7032056752398703723, 1.167153539361511441, 2.015508332090348038,
     2.015641477955609997, 2.250700372831201122, 2.251752589066721108, 4.03954923995757916, 13.81551005796419077,
     690.7755278982137053, 2.91413912021352783, 99999.42276788562941, 0.7031566406452431872, -8.441500453619375768,
     4.337307305510050142, 11.09978227623272522],
    [9.999999999999999272e19, 10001.6212135283128, 12.2453645461077313, 4.934802200544679309, 1.64517451070270356,
     1.644934066848226436, 1.644693687933144353, 0.9677007114650835451, 0.7641018698938287206, 0.6449340668482264365,
     0.6449336627346670304, 0.4903813776249806267, 0.4903341368145475962, 0.3100378576700383022, 0.1331547166131586039,
     0.1331370146940314251, 0.1052769501482417844, 0.1051663356816857461, 0.01760517910105065098, 1.000000500000166667e-6,
     9.999999999999999475e-301, 18.5418796476716065, 10000000001.64495647, 9.379246644989123754, 103.0637814264857313,
     14.95138318143392115, 67.36413681723942989],
]


def write(path, numbers, kind, code):
    header = f"{{'descr': '<{kind}', 'fortran_order': False, 'shape': ({len(numbers)},), }}".ljust(117) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(numbers)}{code}", *numbers))


def read(path, code, size):
    with open(path, "rb") as f:
        data = f.read()
    start = 10 + struct.unpack("<H", data[8:10])[0]
    return struct.unpack(f"<{(len(data) - start) // size}{code}", data[start:])


def run(entry, engine, numbers, kind, code, size):
    write("x.npy", numbers, kind, code)
    command = [os.environ["NNC"], "run", f"net.nn:{entry}", f"--engine={engine}", "--input", "x=x.npy", "--output-dir", "out"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return [read(f"out/{name}.npy", code, size) for name in "abcd"]


def hold(what, xs, got, exact, unit):
    worst = 0
    for which in range(4):
        for x, y, z in zip(xs, got[which], exact[min(which, 3)]):
            size = abs(z) if which == 2 or x > 0 and which == 0 else max(1, abs(z))
            error = 0 if y == z else abs(y - z) / (unit * size) if size else float("inf")
            worst = max(worst, error)
            if not error <= 8:
                print(f"{what}: function {which} at {x!r} is {y!r}, not {z!r}: {error:.3g} units")
                return 1
    print(f"{what}: within {worst:.2g} units")
    return 0


failed = 0
small = [struct.unpack("f", struct.pack("f", x))[0] for x in XS if x < 1e30]
for engine in ("interp", "c"):
    failed |= hold(engine + ", f64", XS, run("wide", engine, XS, "f8", "d", 8), EXACT + [EXACT[1]], 2.0**-52)
    reference = run("wide", engine, small, "f8", "d", 8)
    failed |= hold(engine + ", f32", small, run("narrow", engine, small, "f4", "f", 4), reference, 2.0**-23)
sys.exit(failed)
END
python3 check.py || failed=1
exit $failed
