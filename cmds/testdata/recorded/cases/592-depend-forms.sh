# topic: sbatch
# limit: 60
# Forms of dependencies, in submissions and updates, and what becomes of them.
. "$CT_LIB"
submit -H --wrap true; A=$J; submit -H --wrap true; B=$J; submit -H -a 1-3 --wrap true; C=$J
n=0
d() { for o; do out=$(sbatch --parsable -H -d "$o" --wrap true 2>&1); rc=$?; echo "+ $o" | normalise; if [ $rc = 0 ]; then field $out Dependency | sed 's/JX/J/g'; scancel -Q $out; else echo "$out" | normalise; echo rc=$rc; fi; done; }
d $A afterany:$A after:$A afterok:$A afternotok:$A afterok:$A:$B afterok:$A,afterok:$B afterok:$A?afterany:$B afterok:$A:$A afterok:$A,$B afterany:$A+5 after:$A+5 after:$A+5:$B+6 after:$A+ after:$A+x after:$A-5 afterok:${C} afterok:${C}_1 afterok:${C}_1:${C}_2 afterok:${C}_* afterok:${C}_9 aftercorr:$C aftercorr:$A aftercorr:${C}_1 afterburstbuffer:$A expand:$A singleton singleton:$A SINGLETON Singleton AfterOK:$A AFTEROK:$A afterok=$A afterok: afterok:, ,afterok:$A afterok:$A, afterok::$A 'afterok: '$A ' afterok:'$A "afterok:$A " afterok:0 "afterok:$A,singleton" "singleton,afterok:$A" "singleton?afterok:$A" "afterok:$A&afterok:$B" "afterok:$A|afterok:$B" afterok:650000:$A afterok:$A:650000 after:650000 afterany:650000 afternotok:650000 afterok:$A.0 afterok:$A+1 afterok:${A}_1 ok:$A begin:$A before:$A beforeany:$A on:1 "(failed)" "" none 0 afterok:$A?afterok:650000 "afterok:$A;afterok:$B"
submit -H --wrap true; D=$J; submit -H -d afterok:$D --wrap true; E=$J
for x in afterok:$E $E afterok:$D singleton afterok:$A:$B afterok:$A?afterok:$B '' afterok:x bogus:1 after:$A+3 aftercorr:$C; do echo "update $x: $(scontrol update jobid=$D dependency=$x 2>&1) $?" | normalise; field $D Dependency; done
for o in --kill-on-invalid-dep=yes --kill-on-invalid-dep=no --kill-on-invalid-dep=YES --kill-on-invalid-dep=y --kill-on-invalid-dep=n --kill-on-invalid-dep=1 --kill-on-invalid-dep; do out=$(sbatch --parsable $o -H -d afterok:$A --wrap true 2>&1); rc=$?; if [ $rc = 0 ]; then echo "$o ok $(scontrol show job $out | grep -oE 'KillOInInvalidDependent=.*|KillOn.*')"; remember $out; else echo "$o $out $rc"; fi; done
submit --wrap false; F=$J; wait_done $F
submit -d afterok:$F --wrap true; wait_reason $J DependencyNeverSatisfied; squeue -h -j $J -o '%T %r %E %R' | normalise
submit -d afterok:$F --kill-on-invalid-dep=yes --wrap true; wait_done $J; field $J JobState Reason Dependency ExitCode
submit -d afternotok:$F --wrap true; wait_done $J; field $J JobState Dependency
submit -d afterok:$F?afterany:$F --wrap true; wait_done $J; field $J JobState Dependency
submit -d afterok:$F?afternotok:$A --wrap true;  wait_reason $J Dependency; squeue -h -j $J -o '%T %r %E' | normalise
submit -d afterany:$F,afterany:$A --wrap true;  wait_reason $J Dependency; squeue -h -j $J -o '%T %r %E' | normalise
submit -d aftercorr:$C -a 1-4 --wrap true; K=$J; squeue -h -j $K -o '%i %E' | normalise; scontrol release ${C}_2; wait_done ${C}_2; sleep 1; squeue -h -t all -j $K -S i -o '%i %T %r %E' | normalise
submit -H -d singleton -J sg --wrap true; field $J Dependency; squeue -h -j $J -o '%r %E' | normalise
