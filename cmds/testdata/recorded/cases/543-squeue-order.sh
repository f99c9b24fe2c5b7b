# topic: squeue
# The order of rows that no key tells apart: what started last first, what has no start at the end.
. "$CT_LIB"
sb() { submit -o /dev/null "$@"; }
sb -J h1 -H --wrap true
sb -J b1 --begin=now+2hours --wrap true
sb -J h2 -H --wrap true
sb -J b2 --begin=now+1hour --wrap true
sb -J r1 --exclusive -N2 -t 30 --wrap 'sleep 60'; wait_state $J RUNNING
sleep 1.2
sb -J r2 --exclusive -N2 -t 50 --wrap 'sleep 60'; wait_state $J RUNNING
sb -J p1 --exclusive -N2 -t 50 --wrap 'sleep 20'
sb -J p2 --exclusive -N2 -t 50 --wrap 'sleep 20'
sb -J h3 -H --wrap true
sb -J r1 -d singleton -H --wrap true
poll 10 bash -c "squeue -h -n p2 -O StartTime | grep -q 20"
for s in '' S -S S,i S,-i -S,i i,S i,-S j t T -t u e -e L,i N -N B -B; do echo "$s: " $(squeue -h -S "$s" -o %j | paste -sd' '); done
echo  $(squeue -h  -o %j | paste -sd' ')
echo  $(squeue -h --start -o %j | paste -sd' ')
echo  $(squeue -h -r -o %j | paste -sd' ')
echo  $(squeue -h -u alice -o %j | paste -sd' ')
