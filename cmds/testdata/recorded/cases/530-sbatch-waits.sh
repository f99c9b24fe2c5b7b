# topic: sbatch
# limit: 60
# --wait, --test-only, --parsable, --export-file, --get-user-env and friends.
. "$CT_LIB"
echo '== wait'; sbatch -Q --wait -o /dev/null --wrap 'exit 3'; echo rc=$?
sbatch --parsable --wait -o /dev/null --wrap 'kill -9 $$' | normalise >/dev/null; echo rc=${PIPESTATUS[0]}
sbatch -Q --wait -o /dev/null -a 1-3 --wrap 'exit $SLURM_ARRAY_TASK_ID'; echo rc=$?
sbatch -Q -W -t 1 -o /dev/null --wrap true; echo rc=$?
sbatch -Q -W -H -J held -o /dev/null --wrap true & P=$!; sleep 1; scancel -n held; wait $P; echo rc=$?
sbatch -Q -W -J run -o /dev/null --wrap 'sleep 30' & P=$!; sleep 1; scancel -n run; wait $P; echo rc=$?
try sbatch --wait -o /nosuchdir/x --wrap true
echo '== export-file'; printf 'A=1\0B=two words\0' >ef; sbatch -Q -W --export-file=ef -o o --wrap 'echo A=$A B=$B HOME=${HOME-unset}'; cat o
sbatch --export-file=nosuch --wrap true; echo rc=$?
sbatch -Q -W --export-file=3 -o o --wrap 'echo A=$A B=$B' 3<ef; echo rc=$?; cat o
echo '== get-user-env'; sbatch -Q -W --export=NONE --get-user-env -o o --wrap 'echo $USER $LOGNAME ${HOME-unset}'; cat o
sbatch -Q -W --get-user-env=5L -o o --wrap 'echo $USER'; cat o
sbatch -Q -W --get-user-env=5S -o o --wrap 'echo $USER'; cat o
sbatch --get-user-env=x --wrap true 2>&1 | normalise; scancel -u alice
echo '== test-only'; sbatch --test-only --wrap true 2>&1 | sed -E 's/Job [0-9]+/Job N/; s/at [0-9T:-]+/at T/'
submit -N 4 --exclusive -t 10 --wrap 'sleep 60'; wait_state $J RUNNING
out=$(sbatch --test-only -N 4 -t 5 --wrap true 2>&1); echo "$out" | sed -E 's/Job [0-9]+/Job N/; s/at [0-9T:-]+/at T/'
d=$(echo "$out" | grep -oE '[0-9]{4}-[0-9T:-]+'); now=$(date +%s); then=$(date -d "$d" +%s); [ $((then - now)) -gt 500 ] && [ $((then - now)) -lt 700 ] && echo "in ten minutes"
scancel $J; wait_done $J
try sbatch --test-only -N 9 --wrap true
try sbatch --test-only -p nosuch --wrap true
echo '== umask'; (umask 027; sbatch -Q -W -o um --wrap 'umask'); cat um; stat -c %a um
echo '== open-mode'; echo old >om; sbatch -Q -W --open-mode=append -o om --wrap 'echo new'; cat om; sbatch -Q -W -o om --wrap 'echo newer'; cat om
echo '== input'; echo in >in; sbatch -Q -W -i in -o o --wrap cat; cat o; sbatch -Q -W -i nosuch -o o --wrap cat; echo rc=$?; cat o
echo '== propagate'; (ulimit -Sn 300; sbatch -Q -W --propagate=NOFILE -o o --wrap 'ulimit -Sn'; cat o; sbatch -Q -W --propagate=CORE -o o --wrap '[ $(ulimit -Sn) != 300 ] && echo other'; cat o)
echo '== chdir'; sbatch -Q -W -D /nosuch -o $PWD/o --wrap pwd; echo rc=$?; cat o | normalise
echo '== interpreter'; printf '#!/nosuch/sh\ntrue\n' >ni.sh; sbatch -Q -W -o o ni.sh; echo rc=$?; normalise <o
printf '#!/bin/sh -e\nfalse\necho not reached\n' >e.sh; sbatch -Q -W -o o e.sh; echo rc=$?; cat o
printf 'true\n' >ns.sh; try sbatch ns.sh
printf '' >empty.sh; try sbatch empty.sh
printf '#!/bin/sh\r\ntrue\r\n' >dos.sh; try sbatch dos.sh
try sbatch nosuch.sh
