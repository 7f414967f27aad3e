# Learning-rate schedules: in a train block and by --schedule; what they keep is in checkpoints; their refusals.
. "$SOURCE_DIR/tests/runtime/common.bash"
make_data d 300 1
block() { # block NAME SCHEDULE STEP EPOCH: a train block; STEP and EPOCH are statements
    cat <<END
train $1 {
    self.net = Net()
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.1, momentum=0.9)
    self.scheduler = $2
    def step(self, x: f32[N, 8], label: i64[N]) -> (loss: f32) {
        loss = F.cross_entropy(self.net(x), label)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        $3
        return loss
    }
    $4
}
END
}
S=optim.lr_scheduler O=self.optimizer
{
    sed '/^train/,$d' "$here/models/small.nn"
    block Batch "$S.OneCycleLR($O, max_lr=0.2, total_steps=60)" 'self.scheduler.step()' ''
    block Epoch "$S.StepLR($O, step_size=2, gamma=0.5)" pass 'def epoch(self) -> (lr: f32) { self.scheduler.step(); return self.optimizer.lr }'
    block Plateau "torch.$S.ReduceLROnPlateau($O, patience=0, factor=0.5, threshold=0.1)" pass 'def epoch(self, loss: f32) { self.scheduler.step(loss) }'
    block Warm "$S.SequentialLR($O, [$S.LinearLR($O, 0.1, total_iters=10), $S.CosineAnnealingLR($O, 50)], milestones=[10])" 'self.scheduler.step()' ''
    block Plain None pass ''
} >m.nn
data="--data x=d/x.npy --data label=d/label.npy --batch 32 --epochs 6 --seed 3 -q"
rates() { sed 's/.*"lr":{"optimizer.lr":\([-0-9.e]*\)}.*/\1/' "$1" | tr '\n' ' '; }
# resumes OPTIONS...: a run that stops after step 13 (of 10 in an epoch) goes on to the same bits.
resumes() {
    "$NNC" train "$@" $data --log whole.jsonl --save whole.st >/dev/null 2>err.txt || { cat err.txt; fail "$*"; }
    "$NNC" train "$@" $data --stop-after 13 --checkpoint c.st >/dev/null 2>&1 || fail "$* stopped"
    "$NNC" train "$@" $data --resume c.st --log part.jsonl --save part.st >/dev/null 2>&1 || fail "$* resumed"
    cmp whole.st part.st || fail "$*: resumed after step 13"
    [ "$(rates whole.jsonl)" = "$(rates part.jsonl)" ] || fail "$*: other rates after step 13"
}
is_rates() { [ "$(rates whole.jsonl)" = "$1 " ] || fail "rates $(rates whole.jsonl), not $1"; }
resumes m.nn:Batch
set -- $(rates whole.jsonl)
awk "BEGIN { exit !($1 > 0.1 && $6 < 1e-3) }" || fail "no cycle: $*"
resumes m.nn:Epoch
is_rates "0.100000001 0.100000001 0.0500000007 0.0500000007 0.0250000004 0.0250000004"
resumes m.nn:Plateau
resumes m.nn:Warm
resumes m.nn:Plain --schedule StepLR:step_size=2,gamma=0.5
is_rates "0.100000001 0.100000001 0.0500000007 0.0500000007 0.0250000004 0.0250000004"
resumes m.nn:Plain --schedule ReduceLROnPlateau:patience=0,factor=0.5,threshold=0.1
resumes m.nn:Plain --schedule onecycle --warmup 5
resumes m.nn:Plain --schedule 'SequentialLR:[lr_scheduler.LinearLR(optimizer,0.1),lr_scheduler.ExponentialLR(optimizer,0.9)],milestones=[5]' --schedule-every batch
# --lr is the rate that a schedule of the block begins with.
"$NNC" train m.nn:Epoch $data --lr 0.04 --log whole.jsonl >/dev/null 2>&1
is_rates "0.0399999991 0.0399999991 0.0199999996 0.0199999996 0.00999999978 0.00999999978"
# Both engines.
for engine in c interp; do
    "$NNC" run m.nn:Epoch.epoch --engine=$engine --repeat 5 --output-dir $engine >/dev/null 2>&1
done
cmp c/lr.npy interp/lr.npy || fail "the engines have other rates"
# A group's rate is written as in torch; what is no run-time number is not.
sed 's/^    self.scheduler = None$//; s/^        pass$/        for group in self.optimizer.param_groups { group["lr"] = group["lr"] * 0.5 }/' m.nn >g.nn
"$NNC" train g.nn:Plain $data --epochs 1 --log whole.jsonl >/dev/null 2>&1
is_rates "9.76562515e-05"
sed 's/group\["lr"\] = .* }/group["momentum"] = 0.5 }/' g.nn >h.nn
expect 1 "known at run time" "$NNC" check h.nn
sed 's/group\["lr"\] = .* }/group["rate"] = 0.5 }/' g.nn >h.nn
expect 1 "no hyperparameter of this name" "$NNC" check h.nn
# Refusals.
one() { sed '/^train/,$d' "$here/models/small.nn"; block T "$@"; }
one "$S.StepLR($O, 2)" "self.scheduler.step()" "" | sed "s/self.scheduler = /self.other = $S.ExponentialLR($O, 0.9)\n    &/" >e.nn
expect 1 "2 schedules set the rates of one optimizer" "$NNC" check e.nn
one "$S.SequentialLR($O, [$S.StepLR($O, 2), $S.ReduceLROnPlateau($O)], [3])" "self.scheduler.step()" "" >e.nn
expect 1 "no closed form" "$NNC" check e.nn
one "$S.OneCycleLR($O, 0.1, 100)" "self.scheduler.step()" "" | sed 's/, momentum=0.9//' >e.nn
expect 1 "give it one to cycle" "$NNC" check e.nn
one "$S.StepLRR($O, 2)" "" "" >e.nn
expect 1 "StepLR" "$NNC" check e.nn
one "$S.StepLR($O, 2)" "" "def epoch(self, loss: f32, more: f32) -> (y: f32) { return loss + more }" >e.nn
expect 2 "takes nothing, or the loss" "$NNC" train e.nn $data
expect 2 "sets optimizer.lr itself" "$NNC" train m.nn:Batch $data --schedule cosine
expect 2 "did you mean 'StepLR'" "$NNC" train m.nn:Plain $data --schedule StpLR
expect 2 "no argument \`gama\`" "$NNC" train m.nn:Plain $data --schedule StepLR:step_size=2,gama=0.5
expect 2 "step_size=0 must be positive" "$NNC" train m.nn:Plain $data --schedule StepLR:0
expect 2 "wants NAME:KEY=VALUE" "$NNC" train m.nn:Plain $data --schedule 'StepLR:2)}'
expect 2 "leave out --schedule-every" "$NNC" train m.nn:Plain $data --schedule ReduceLROnPlateau --schedule-every batch
expect 2 "9223372036854775807 of 10 steps are too many" "$NNC" train m.nn:Plain $data --epochs 9223372036854775807 --schedule cosine
expect 2 "epoch|batch" "$NNC" train m.nn:Plain $data --schedule cosine --schedule-every week
expect 0 "CosineAnnealingWarmRestarts" "$NNC" help train
# An error of the interpreter ends the run, at the start and later; it is not taken for a rate.
broken="$BINARY_DIR/tests/nnc_broken_interpreter"
for calls in 0 1 4; do
    expect 1 "--schedule cannot be computed: the interpreter is broken" \
        env BROKEN_AFTER=$calls "$broken" train m.nn:Plain $data --schedule cosine
done
# One call for the unit, two to begin, one for each epoch.
for calls in 1 2 3 5; do
    expect 1 "--schedule cannot be computed: the interpreter is broken" \
        env BROKEN_AFTER=$calls "$broken" train m.nn:Plain $data --schedule ReduceLROnPlateau
done
expect 0 "60 steps" env BROKEN_AFTER=9 "$broken" train m.nn:Plain $data --schedule ReduceLROnPlateau
