# topic: squeue
# as: root
# Who waits for nodes that are out of service, in which order; reservations that float, and that end at once.
. "$CT_LIB"
cleanup() { scontrol update nodename='n[1-4]' state=resume; scontrol delete reservationname=f1; }
s() { submit_as alice -o /dev/null "$@"; }
st() { sleep 1.3; squeue -h -S i -u alice -o '%j|%t|%r|%R|%N' | normalise; scancel -u alice; poll 5 bash -c '[ -z "$(squeue -h -u alice)" ]'; }
scontrol update nodename=n3,n4 state=drain reason='bad disk'
s -N 4 -J four --wrap true; s -N 3 -J three --wrap true; s -p single -J single --wrap true; s -C slow -J slow --wrap true; s -w n3 -J n3 --wrap true; s -w n1,n3 -J n1n3 --wrap true; s --gres=gpu:v100:1 -J gpu --wrap true; st
s -N 3 -J three --wrap true; s --contiguous -N 3 -J cont --wrap true; st
s --exclusive -N2 -J run --wrap 'sleep 10'; wait_state $J RUNNING; s -N 2 -J two --wrap true; s -N 3 -J three --wrap true; s -p single -J single --wrap true; st
scontrol update nodename=n1,n2 state=drain reason=x; s -n 1 -J one --wrap true; s -N 3 -J three --wrap true; s -p chem -A chem -J chem --wrap true; s -w n1 -J n1 --wrap true; st
scontrol update nodename='n[1-4]' state=resume
scontrol create reservation reservationname=f1 nodes=n2 starttime=now+10minutes duration=30 users=alice flags=time_float; try as_user alice sbatch --reservation=f1 -t 5 --wrap true; s -H --wrap true; try as_user alice scontrol update jobid=$J reservationname=f1; scontrol delete reservationname=f1
scontrol create reservation reservationname=f1 nodes=n2 starttime=now duration=30 users=alice; sleep 1.2; try scontrol update reservationname=f1 endtime=now-10minutes; try scontrol update reservationname=f1 endtime=now
