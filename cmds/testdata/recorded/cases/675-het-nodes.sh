# topic: hetjob
# limit: 60
# The components of a heterogeneous job are on nodes of their own; what they wait for when there are not enough, and whose time limit they have.
. "$CT_LIB"
on() { submit -o /dev/null "$@" --wrap 'sleep 20' || return; poll 8 bash -c "squeue -h -j $J -t R | grep -q ."; echo "$*: $(squeue -h -j $J -S i -o '%N %C %T' | paste -sd,)"; scancel $J; wait_done $J; }
on -n1 : -n1
on -n2 : -n3 : -n1
on -N1 : -N2
on -N2 : -N1
on -n1 : -n1 -C slow
on -n1 : -n1 -w n1
on -n1 -w n1 : -n1
on -N1-2 -n 4 : -n 1
on -n1 --exclusive : -n1
on -n1 --gres=gpu:1 : -n1 --gres=gpu:1
on -n1 -p chem -A chem : -n1 -p single
on -n1 -w n1 : -n1 -w n1
waits() { submit "$@" --wrap true; wait_reason $J Resources; echo "$*: $(squeue -h -j $J -S i -o '%T %r' | paste -sd,)"; scancel $J; }
waits -n1 : -n1 : -n1 : -n1 : -n1
waits -N2 : -N3
waits -n 33 : -n 20
waits -n1 -x 'n[1-3]' : -n1 -x 'n[1-3]'
limit() { submit -H "$@" --wrap true; echo "$*: $(squeue -h -j $J -S i -o %l | paste -sd' ')"; scancel $J; }
limit -n1 : -n1
limit -n1 : -n1 -t 5
limit -n1 -t 5 : -n1
limit -n1 : -n1 -p short
limit -n1 : -n1 -t 5 : -n1 -t 7
limit -n1 -t 9 : -n1 : -n1 -t 7
limit -n1 : -n1 -p short : -n1 -t 3
srun -l -n1 printenv SLURMD_NODENAME : -n2 printenv SLURMD_NODENAME | sort
