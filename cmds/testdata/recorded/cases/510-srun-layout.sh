# topic: srun
# Which task is where: distributions, node choices, counts.
. "$CT_LIB"
cat >job.sh <<'X'
#!/bin/bash
where() {
	echo "== $*"
	srun "$@" sh -c 'echo $SLURM_PROCID $SLURMD_NODENAME $SLURM_LOCALID $SLURM_NODEID $SLURM_GTIDS $SLURM_TASKS_PER_NODE $SLURM_STEP_NODELIST $SLURM_DISTRIBUTION' 2>err </dev/null | sort -n
	grep -v '^srun: Job' err
}
where
where -n 5
where -n 5 -m block
where -n 5 -m cyclic
where -n 8 -m plane=2
where -n 8 -m plane=3
where -n 8 -m block:cyclic
where -n 8 -m cyclic:block
where -n 8 -m cyclic:fcyclic
where -n 8 -m '*:block'
where -n 8 -m block,NoPack
where -m nosuch
where -m plane
where -m plane=0
where -N 1 -n 1 -r 1
where -N 2 -r 1
where -N 2 -r 2
where -r 5 -N1
where -w n2 -n 1
where -w n2,n3 -n 2
where -w n3,n2 -n 2
where -w n1,n2 -n 1
where -x n1 -n 2
where -x n1,n2,n3
where -w n4 -n 1
where -n 4 --ntasks-per-node=2
where -n 6 --ntasks-per-node=2
where -n 7 --ntasks-per-node=2
where --ntasks-per-node=2
where -N 2 --ntasks-per-node=1
where -N 3 -n 2
where -n 13
where -n 13 -O
where -N 4
where -N 1-2 -n 3
where -c 2
where -n 3 -c 2
where -n 3 -c 4
where -c 5
where -n 2 --exact -c 2
where -n 4 --use-min-nodes
where -n 2 -s
printf 'n3\nn1\nn3\nn2\n' >hosts
SLURM_HOSTFILE=$PWD/hosts where -m arbitrary
SLURM_HOSTFILE=$PWD/hosts where -n 3 -m arbitrary
SLURM_HOSTFILE=$PWD/hosts where -n 5 -m arbitrary
SLURM_HOSTFILE=$PWD/hosts where
SLURM_HOSTFILE=/nonexistent where -m arbitrary
where -m arbitrary -w n2,n1,n2
where -m arbitrary
where -F hosts
X
submit -N 3 -n 12 -w n[1-3] --ntasks-per-node=4 -o e.out job.sh; poll 38 _ended $J; normalise <e.out
