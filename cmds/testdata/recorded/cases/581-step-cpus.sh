# limit: 150
# How many CPUs a step has on its nodes, and what it is told of them.
. "$CT_LIB"
cat >job.sh <<'E'
#!/bin/bash
r() { echo "+ $*"; timeout 20 srun "$@" >o.txt 2>e.txt; rc=$?; sort o.txt | uniq -c; sort e.txt; echo "rc=$rc"; }
v='echo $SLURM_NODEID $SLURM_STEP_TASKS_PER_NODE c=$SLURM_CPUS_PER_TASK on=$SLURM_CPUS_ON_NODE n=$SLURM_NTASKS job=$SLURM_JOB_CPUS_PER_NODE'
r sh -c "$v"
r -n2 sh -c "$v"
r -n2 -c2 sh -c "$v"
r -n1 -c3 sh -c "$v"
r -c1 -n2 sh -c "$v"
r --exact -n2 sh -c "$v"
r --exact -n2 -c2 sh -c "$v"
r -N1 -n1 sh -c "$v"
r -N1 -n2 -c2 sh -c "$v"
r --exclusive -n2 -c1 sh -c "$v"
r --overlap -n1 sh -c "$v"
r --ntasks-per-node=1 sh -c "$v"
r -O -n 10 sh -c "$v"
r -c 4 sh -c "$v"
r -m cyclic -n 4 sh -c "$v"
E
for o in '-N1 -n8' '-N2 --ntasks-per-node=4' '-n2 -c4' '-N2 -n2 -c4' '-N1 --exclusive' '-N2 --exclusive -n4' '-N1 -c8'; do echo "== $o"; submit $o -o s.out -t 5 job.sh; poll 60 _ended $J; normalise <s.out; done
