# limit: 120
# Counts of features in and outside of brackets, and what --prefer does to --constraint.
. "$CT_LIB"
c() { out=$(sbatch --parsable "$@" -o /dev/null --wrap true 2>&1) || { echo "$* : $out"; return; }; remember $out; wait_done $out; echo "$* : $(squeue -h -t all -j $out -o '%T %N')"; }
c -C 'rack1*1&rack2*1' -N2
c -C 'fast*2&ib*1' -N2
c -C 'fast*2&ib*1' -N3
c -C 'fast*1&ib*1' -N2
c -C 'fast*1&ib*1' -N1
c -C 'fast*2&ib*1' -N1
c -C 'ib*2&fast*1' -N2
c -C 'fast*1|slow*1' -N2
c -C 'fast*1|ib*1' -N2
c -C 'fast*1&fast*1' -N2
c -C 'fast&ib*1' -N2
c -C 'fast&ib*1' -N1
c -C 'ib*1&fast' -N2
c -C 'slow*2' -N3
c -C 'slow*2' -N2
c -C 'slow*2' -N1
c -C 'slow*2'
c -C 'slow*3' -N3
c -C 'slow|fast*2' -N2
c -C '(slow&ib)|(fast&eth)' -N2
c -C '[slow|fast]' -N2 -n 20
c -C '[slow&fast]' -N2
c -C 'slow&[ib|eth]'
c -C '[ib|eth]&fast'
c -C '[ib*1&eth*2]' -N3
c -C '[ib*1&eth*2]' -N2
c -C '[ib*1|eth*2]' -N2
c -C '[(slow&ib)|fast]' -N1
c -C '[(slow&ib)*1&fast*1]' -N2
c -C '(slow|fast)&ib' -N2
c -C 'slow&ib|fast' -N2
c -N 0
c --prefer=slow
c --prefer='slow&ib'
c --prefer=nosuch
c --prefer=slow -C fast
c --prefer=ib -C slow
c -w n3 -C fast
c -x n1 -C 'fast&ib'
c -C 'fast;ib'
c -C 'fast ib'
c -C '!fast'
c -C 'fast*x'
