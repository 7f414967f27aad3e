# Shared by tests of functions whose derivative counts: a model in net.nn,
#   net EXPRESSION SHAPE RESULT   the expression of x and its derivative by x for an upstream dy
net() { # EXPRESSION SHAPE RESULT
    cat >net.nn <<END
module Net {
    def forward(self, x: f32[$2], dy: f32[$3]) -> (y: f32[$3], dx: f32[$2]) {
        y = $1
        return y, torch.autograd.grad(y, x, dy)[0]
    }
}

export Net() as net
END
}
