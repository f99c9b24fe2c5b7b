# topic: sacct
# as: root
# limit: 60
# Jobs that were sent back, held until a time, or lost their node; who is asked for; values too wide for their columns.
. "$CT_LIB"
t0=$(date +%FT%T); sleep 1.1
cleanup() { scontrol update nodename=n4 state=resume; }
s() { submit_as alice -o /dev/null "$@"; }
scontrol update nodename=n4 state=resume >/dev/null 2>&1
s -J back --wrap 'sleep 60'; A=$J; s -J lost -w n4 --no-requeue --wrap 'srun sleep 60'; B=$J; s -J later -H --begin now+1hour --wrap true; C=$J; wait_state $A RUNNING; wait_state $B RUNNING; poll 10 bash -c "sacct -n -j $B -o jobid | grep -q '\.0'"; sleep 1
scontrol requeuehold $A; scontrol update nodename=n4 state=down reason=test; poll 20 bash -c "sacct -n -X -D -P -j $A -o state | grep -q PENDING"; poll 20 bash -c "sacct -n -P -j $B.batch -o state | grep -q CANCELLED"
[ "$(sacct -n -X -P -j $A -o eligible)" != Unknown ]; echo "eligible $?"; [ "$(sacct -n -X -P -j $C -o eligible)" != Unknown ]; echo "eligible $?"
sleep 7; scancel $A $C; wait_acct $A CANCELLED; wait_acct $C CANCELLED
sacct -n -P -D -j $A,$B,$C -o jobname,state,exitcode,end | normalise
q() { echo "$*: $(sacct -n -X -P -S $t0 -o JobName "$@" 2>&1 | grep -xE 'back|lost|later|mine|sacct.*' | sort | uniq -c | sed 's/^ *//' | paste -sd' ')"; }
submit_as bob -t 5 -J mine -o /dev/null --wrap true; D=$J; wait_done $D; wait_acct $D COMPLETED; sleep 2.1
q; q -D; q -s RQ -E now; q -D -s RQ -E now; q -D -s NF,RQ -E now; q -s CA -E now; q -a -u bob; q -u bob -a; q -u alice -u bob; q -u bob -a -u alice; q -u -1
as_user alice sacct -n -X -P -S $t0 -a -u bob -o jobname,user
try sacct -s CA -E now -n -X -o nosuch; try sacct -s CA -E now -n -X -j 650001; try sacct -f /etc/passwd; try sacct -f /nosuch
for f in Submit Eligible Start End; do for w in 4 -2; do echo "$f%$w $(sacct -n -X -j $D -o $f%$w)"; done; done
for f in Elapsed CPUTime Suspended UID GID TimelimitRaw State AllocTRES User Account QOS; do for w in 2 -3; do echo "$f%$w $(sacct -n -X -j $D -o $f%$w)"; done; done | normalise
sacct -X -j $D -o elapsed%3,submit%5,uid%2,jobname%2 | normalise
