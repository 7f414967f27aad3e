# Hostile data files, weights, checkpoints, and hostile places to read and write.  The reference interpreter
# runs the model, so that the limits hold for nnc alone.
. "$SOURCE_DIR/tests/adversarial.bash"
cat >m.nn <<'END'
module Net {
    self.fc = nn.Linear(3, 2)
    def forward(self, x: f32[N, 3]) -> f32[N, 2] {
        return self.fc(x)
    }
}
export Net() as net
def pick(w: f32[5, 2], i: i64[N]) -> f32[N, 2] { return F.embedding(i, w) }
export pick
def bytes(x: u8[H, W]) -> u8[H, W] { return x }
export bytes
train T {
    self.net = Net()
    self.optimizer = optim.SGD(self.net.parameters(), lr=0.1)
    def step(self, x: f32[N, 3], y: i64[N]) -> (loss: f32) {
        loss = F.cross_entropy(self.net(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss
    }
}
END
run() { # run NAME STATUS WORDS ARGUMENTS...
    local name=$1 status=$2 words=$3
    shift 3
    attempt "$name" "$status" "$words" "$NNC" run --engine=interp "$@"
}
le() { # le BYTES VALUE: a little-endian number
    local i v=$2
    for ((i = 0; i < $1; i++)); do printf "\\x$(printf %02x $((v & 255)))"; v=$((v >> 8)); done
}
npy() { # npy DESCR SHAPE [BYTES]: version 1 with so many zero bytes of data
    local header="{'descr': '$1', 'fortran_order': False, 'shape': $2, }"
    printf '\x93NUMPY\x01\x00'; le 2 ${#header}; printf '%s' "$header"; head -c "${3:-0}" /dev/zero
}
tensors() { # tensors HEADER [BYTES]
    le 8 ${#1}; printf '%s' "$1"; head -c "${2:-0}" /dev/zero
}
idx() { printf '\x00\x00'; printf '%b' "$1"; head -c "${2:-0}" /dev/zero; }

# ---- npy ----
npy '<f4' '(2, 3)' 24 >good.npy
run npy_good 0 "f32[2, 2]" m.nn:net --input x=good.npy
: >f.npy; run npy_empty 3 "f.npy" m.nn:net --input x=f.npy
printf '\x93NUMPY' >f.npy; run npy_magic_only 3 "npy" m.nn:net --input x=f.npy
printf '\x93NUMPY\x09\x00\x00\x00' >f.npy; run npy_version 3 "version 9" m.nn:net --input x=f.npy
printf '\x93NUMPY\x02\x00\xff\xff\xff\xff' >f.npy; run npy_header_4_gib 3 "header claims" m.nn:net --input x=f.npy
printf '\x93NUMPY\x01\x00\xff\xff{' >f.npy; run npy_header_cut 3 "cut off" m.nn:net --input x=f.npy
npy '<f4' '(4294967296, 4294967296)' 0 >f.npy; run npy_dims_wrap_to_0 3 "f.npy" m.nn:net --input x=f.npy
npy '<f4' '(0, 9223372036854775807, 9223372036854775807)' 0 >f.npy; run npy_dims_wrap_beside_0 3 "f.npy" m.nn:net --input x=f.npy
npy '<f4' '(9223372036854775808,)' 0 >f.npy; run npy_dim_2_to_63 3 "too large" m.nn:net --input x=f.npy
npy '<f4' '(-2, 3)' 24 >f.npy; run npy_dim_negative 3 "non-negative" m.nn:net --input x=f.npy
npy '<f4' '(1000000000, 3)' 24 >f.npy; run npy_claims_12_gb 3 "bytes of data" m.nn:net --input x=f.npy
npy '<f4' '(2, 3)' 23 >f.npy; run npy_byte_missing 3 "23 bytes" m.nn:net --input x=f.npy
npy '<f4' '(2, 3)' 25 >f.npy; run npy_byte_too_many 3 "25 bytes" m.nn:net --input x=f.npy
npy '>f4' '(2, 3)' 24 >f.npy; run npy_big_endian 3 "big endian" m.nn:net --input x=f.npy
npy '|O' '(2, 3)' 24 >f.npy; run npy_objects 3 "not supported" m.nn:net --input x=f.npy
npy '<f8' '(2, 3)' 48 >f.npy; run npy_of_doubles 3 "input 'x'" m.nn:net --input x=f.npy
npy '<f4' '(2, 4)' 32 >f.npy; run npy_wrong_dim 3 "input 'x'" m.nn:net --input x=f.npy
npy '<f4' '(2, 3' 24 >f.npy; run npy_tuple_open 3 "npy header" m.nn:net --input x=f.npy
npy '<f4' "$(printf '(%s)' "$(repeat '1, ' 5000)")" 4 >f.npy; run npy_rank_5000 3 "dims" m.nn:net --input x=f.npy
npy "$(repeat x 20000)" '(2, 3)' 24 >f.npy; run npy_descr_long 3 "f.npy" m.nn:net --input x=f.npy
npy '<f4' '(0, 3)' 0 >f.npy; run npy_no_rows 0 "[[]]" m.nn:net --input x=f.npy

# ---- IDX, gzip, PNG ----
idx '\x08\x02\x00\x00\x00\x02\x00\x00\x00\x03' 6 >good.idx
run idx_good 0 "u8[2, 3]" m.nn:bytes --input x=good.idx
idx '\x08' >f.idx; run idx_cut 3 "IDX" m.nn:bytes --input x=f.idx
idx '\x07\x01\x00\x00\x00\x01' 1 >f.idx; run idx_type 3 "0x07" m.nn:bytes --input x=f.idx
idx '\x08\xff' 2000 >f.idx; run idx_255_dims 3 "255 dims" m.nn:bytes --input x=f.idx
idx '\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff' 6 >f.idx; run idx_dims_2_to_64 3 "f.idx" m.nn:bytes --input x=f.idx
idx '\x0e\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff' 6 >f.idx; run idx_dims_2_to_99 3 "f.idx" m.nn:bytes --input x=f.idx
idx '\x08\x02\x00\x00\x00\x02\x00\x00\x00\x03' 5 >f.idx; run idx_byte_missing 3 "5 bytes" m.nn:bytes --input x=f.idx
idx '\x08\x02\x00\x00\x00\x02\x00\x00\x00\x03' 7 >f.idx; run idx_byte_too_many 3 "7 bytes" m.nn:bytes --input x=f.idx
gzip -nc good.idx >good.gz; run gz_good 0 "u8[2, 3]" m.nn:bytes --input x=good.gz
head -c 15 good.gz >f.gz; run gz_cut 3 "f.gz" m.nn:bytes --input x=f.gz
printf '\x1f\x8b' >f.gz; run gz_magic_only 3 "f.gz" m.nn:bytes --input x=f.gz
cat good.gz good.gz >f.gz; run gz_twice 3 "goes on" m.nn:bytes --input x=f.gz
head -c 200000000 /dev/zero | gzip -c >f.gz; run gz_bomb 3 "IDX" m.nn:bytes --input x=f.gz
{ idx '\x08\x02\x00\x00\x00\x02\x00\x00\x00\x03'; head -c 200000000 /dev/zero; } | gzip -c >f.gz; run gz_bomb_behind 3 "longer" m.nn:bytes --input x=f.gz
idx '\x08\x02\xff\xff\xff\xff\x00\x00\x00\xff' 6 | gzip -c >f.gz; run gz_claims_1_tb 3 "claims" m.nn:bytes --input x=f.gz
printf '\x89PNG\r\n\x1a\n' >f.png; run png_signature_only 3 "PNG" m.nn:bytes --input x=f.png
png='\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR'
printf "$png"'\xff\xff\xff\xff\xff\xff\xff\xff\x08\x00\x00\x00\x00\x00\x00\x00\x00' >f.png; run png_bad_sum 3 "PNG" m.nn:bytes --input x=f.png
printf "$png"'\x00\x0f\x00\x00\x00\x0f\x00\x00\x08\x00\x00\x00\x00\x9c\xbe\x3e\xbf' >f.png; run png_claims_a_terabyte 3 "PNG" m.nn:bytes --input x=f.png
printf "$png"'\x00\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00' >f.png; run png_of_nothing 3 "PNG" m.nn:bytes --input x=f.png
printf 'GIF89a' >f.gif; run gif 3 "not an npy" m.nn:bytes --input x=f.gif

# ---- weights: the model's own line is named ----
w='{"fc.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"fc.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}}'
weights() { # weights NAME STATUS WORDS HEADER [BYTES]
    tensors "$4" "${5:-32}" >w.st
    run "$1" "$2" "$3" m.nn:net --input x=good.npy --weights w.st
}
weights weights_good 0 "f32[2, 2]" "$w"
weights weights_missing 3 "m.nn:2" '{"fc.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}' 24
weights weights_missing_named 3 "fc.bias" '{"fc.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}' 24
weights weights_unexpected 3 "fc.other" "${w%\}},\"fc.other\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[32,36]}}" 36
weights weights_misshapen 3 "m.nn:2" '{"fc.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]},"fc.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}}'
weights weights_misshapen_named 3 "f32[3, 2]" '{"fc.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]},"fc.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}}'
weights weights_wrong_dtype 3 "m.nn:2" '{"fc.weight":{"dtype":"I32","shape":[2,3],"data_offsets":[0,24]},"fc.bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}}'
weights weights_other_model 3 "does not fit" '{"a":{"dtype":"F32","shape":[8],"data_offsets":[0,32]}}'
weights weights_escape_in_name 3 "fc.?[2Jother" "${w%\}},\"fc.\\u001b[2Jother\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[32,36]}}" 36
! grep -q $'\e' said || complain "weights_escape_in_name: the message commands the terminal"
weights weights_none 3 "fc.weight" '{}' 0
weights weights_overlap 3 "begins at" "${w/\[24,32\]/[16,24]}" 24
weights weights_hole 3 "begins at" "${w/\[24,32\]/[28,36]}" 36
weights weights_end_first 3 "w.st" "${w/\[24,32\]/[24,16]}"
weights weights_past_end 3 "ends at" "$w" 31
weights weights_trailing 3 "data has" "$w" 33
weights weights_wrap 3 "overflows" '{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}' 0
weights weights_wrap_beside_0 3 "w.st" '{"a":{"dtype":"F32","shape":[0,9223372036854775807,9223372036854775807],"data_offsets":[0,0]}}' 0
weights weights_dim_2_to_64 3 "too large" '{"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,0]}}' 0
weights weights_dim_negative 3 "integer" '{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}}' 0
weights weights_dim_fraction 3 "integer" '{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}' 4
weights weights_twice 3 "twice" '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' 0
weights weights_field_twice 3 "twice" '{"a":{"dtype":"F32","dtype":"F64","shape":[0],"data_offsets":[0,0]}}' 0
weights weights_unknown_dtype 3 "dtype" '{"a":{"dtype":"F33","shape":[0],"data_offsets":[0,0]}}' 0
weights weights_nul_in_name 3 "NUL" '{"a\u0000b":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' 0
weights weights_lone_surrogate 3 "surrogate" '{"\ud800":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}' 0
weights weights_not_json 3 "header byte" 'weights' 0
weights weights_no_end 3 "header byte" '{"a":{"dtype":"F32"' 0
weights weights_text_behind 3 "text after" '{} x' 0
weights weights_deep 3 "deep" "{\"a\":{\"x\":$(repeat '[' 100000)" 0
weights weights_rank_70 3 "dims" "{\"a\":{\"dtype\":\"F32\",\"shape\":[$(repeat '1,' 70)1],\"data_offsets\":[0,4]}}" 4
weights weights_metadata_of_numbers 3 "header byte" '{"__metadata__":{"a":1}}' 0
printf 'abc' >w.st; run weights_three_bytes 3 "too few" m.nn:net --input x=good.npy --weights w.st
le 8 -1 >w.st; run weights_header_2_to_64 3 "claims" m.nn:net --input x=good.npy --weights w.st
le 8 99999999 >w.st; run weights_header_100_mb 3 "claims" m.nn:net --input x=good.npy --weights w.st
printf 'PK\x03\x04 a zip of torch.save' >w.st; run weights_of_torch_save 3 "w.st" m.nn:net --input x=good.npy --weights w.st
{ printf '{'; for i in $(seq 20000); do printf '"t%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},' "$i"; done; printf '"z":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'; } >header
{ le 8 "$(wc -c <header)"; cat header; } >w.st; run weights_20000_tensors 3 "does not fit" m.nn:net --input x=good.npy --weights w.st

# ---- checkpoints ----
npy '<i8' '(2,)' 16 >y.npy
run checkpoint_written 0 "loss" m.nn:T.step --input x=good.npy --input y=y.npy --checkpoint c.st
run checkpoint_good 0 "loss" m.nn:T.step --input x=good.npy --input y=y.npy --resume c.st
run checkpoint_as_other_model 3 "c.st" m.nn:net --input x=good.npy --resume c.st
tensors "$w" 32 >w.st; run weights_as_checkpoint 3 "not a checkpoint" m.nn:T.step --input x=good.npy --input y=y.npy --resume w.st
head -c -1 c.st >d.st; run checkpoint_cut 3 "d.st" m.nn:T.step --input x=good.npy --input y=y.npy --resume d.st
sed 's/nnc.seed/nnc.seee/' c.st >d.st; run checkpoint_without_seed 3 "d.st" m.nn:T.step --input x=good.npy --input y=y.npy --resume d.st
{ cat c.st; printf 'x'; } >d.st; run checkpoint_byte_more 3 "d.st" m.nn:T.step --input x=good.npy --input y=y.npy --resume d.st
: >d.st; run checkpoint_empty 3 "d.st" m.nn:T.step --input x=good.npy --input y=y.npy --resume d.st

# ---- values at run time ----
npy '<f4' '(5, 2)' 40 >table.npy
{ npy '<i8' '(1,)'; le 8 5; } >i.npy; run id_one_past 1 "" m.nn:pick --input w=table.npy --input i=i.npy
{ npy '<i8' '(1,)'; le 8 -1; } >i.npy; run id_negative 1 "" m.nn:pick --input w=table.npy --input i=i.npy
{ npy '<i8' '(1,)'; printf '\x00\x00\x00\x00\x00\x00\x00\x80'; } >i.npy; run id_of_minimum 1 "" m.nn:pick --input w=table.npy --input i=i.npy
{ npy '<i8' '(1,)'; le 8 4; } >i.npy; run id_last 0 "f32[1, 2]" m.nn:pick --input w=table.npy --input i=i.npy
run bind_negative 2 "N" m.nn:net --input x=rand --bind N=-1
run bind_2_to_63 2 "N" m.nn:net --input x=rand --bind N=9223372036854775808
run bind_2_to_62 3 "" m.nn:net --input x=rand --bind N=4611686018427387904
run bind_word 2 "N" m.nn:net --input x=rand --bind N=x
run input_unknown 2 "no input" m.nn:net --input z=good.npy
run input_without_name 0 "f32[2, 2]" m.nn:net --input good.npy
run entry_unknown 2 "no entry" m.nn:absent --input x=good.npy
run repeat_of_word 2 "" m.nn:net --input x=good.npy --repeat x
run seed_large 2 "" m.nn:net --input x=good.npy --seed 99999999999999999999

# ---- places ----
attempt model_absent 3 "absent.nn" "$NNC" check absent.nn
attempt model_is_folder 3 "directory" "$NNC" check .
attempt model_is_root 3 "/" "$NNC" check /
attempt model_path_long 3 "" "$NNC" check "$(repeat a 5000)"
attempt model_without_end 3 "larger than" "$NNC" check /dev/zero
attempt no_model 2 "file" "$NNC" check
attempt unknown_option 2 "--frobnicate" "$NNC" check --frobnicate m.nn
attempt unknown_command 2 "frobnicate" "$NNC" frobnicate
attempt thousand_options 0 "" "$NNC" check m.nn $(repeat "-I . " 1000)
if [ "$(id -u)" != 0 ]; then
    cp m.nn locked.nn && chmod 0 locked.nn
    attempt model_unreadable 3 "ermission" "$NNC" check locked.nn
    mkdir closed && chmod 500 closed
    attempt folder_closed 3 "ermission" "$NNC" m.nn -o closed/m.c
fi
mkdir folder
attempt output_is_folder 3 "folder" "$NNC" m.nn -o folder
attempt output_in_no_folder 3 "absent" "$NNC" m.nn -o absent/m.c
attempt standard_output_full 3 "standard output" bash -c '"$NNC" m.nn --emit=ir >/dev/full'
attempt standard_output_closed 3 "standard output" bash -c '"$NNC" m.nn --emit=ir >&-'
attempt all_closed 3 "" bash -c '"$NNC" m.nn --emit=ir >&- 2>&-'
attempt input_closed 3 "" bash -c '"$NNC" check - <&-'
printf 'keep' >kept.c && ln -s kept.c link.c
attempt output_is_link 0 "" "$NNC" m.nn --emit=c -o link.c
[ -L link.c ] || complain "output_is_link: the link was replaced"
ln -s loop_a loop_b && ln -s loop_b loop_a
attempt model_is_loop 3 "loop_a" "$NNC" check loop_a
run data_absent 3 "No such file" m.nn:net --input x=absent.npy
run data_is_folder 3 "folder" m.nn:net --input x=folder
run weights_is_folder 3 "folder" m.nn:net --input x=good.npy --weights folder
run save_into_no_folder 3 "absent" m.nn:net --input x=good.npy --save absent/w.st
run save_is_folder 3 "folder" m.nn:net --input x=good.npy --save folder
run output_dir_is_file 3 "m.nn" m.nn:net --input x=good.npy --output-dir m.nn
attempt train_without_data 2 "data" "$NNC" train m.nn:T --engine=interp
attempt train_lengths_differ 3 "" "$NNC" train m.nn:T --engine=interp --data x=table.npy --data y=y.npy
attempt format_of_bytes 1 "NN0102" bash -c 'printf "\xff" >f.nn; "$NNC" fmt f.nn'
attempt explain_unknown 2 "NN9999" "$NNC" explain NN9999
finish
