# topic: scontrol
# limit: 60
# A job that runs gives nodes back: by number, by name; what goes on, what ends, what accounting keeps.
. "$CT_LIB"
cat >job.sh <<'S'
#!/bin/bash
#SBATCH -N4 --ntasks-per-node=1 -o job.out -t5
srun -w n4 -N1 -n1 --mem=20 sleep 30 &
srun -w n1,n2 -N2 -n2 --overlap --mem=20 sleep 5 &
srun --overlap --mem=20 -l sh -c 'sleep 5; echo done' &
sleep 2.5
squeue -h -s -j $SLURM_JOB_ID -o '%i %N' | sed 's/^[0-9]*//' | sort >before
scontrol update jobid=$SLURM_JOB_ID numnodes=2 >said; echo "rc $?" >>said
squeue -h -s -j $SLURM_JOB_ID -o '%i %N' | sed 's/^[0-9]*//' | sort >after
env | grep -E '^SLURM_(JOB_)?(NODELIST|NUM_NODES|NNODES|NTASKS|TASKS_PER_NODE|CPUS_PER_NODE|NPROCS)=' | sort >env1
. ./slurm_job_${SLURM_JOB_ID}_resize.sh
env | grep -E '^SLURM_(JOB_)?(NODELIST|NUM_NODES|NNODES|NTASKS|TASKS_PER_NODE|CPUS_PER_NODE|NPROCS)=' | sort >env2
sinfo -h -p debug -N -o '%N %T' >nodes
srun --overlap --mem=20 -l sh -c 'echo $SLURM_JOB_NODELIST $SLURM_NNODES' >now 2>&1
wait
S
chmod 755 job.sh
id=$(sbatch --parsable -W job.sh)
wc -l <before; cat said | normalise | sed "s/$id/ID/g"
sed 's/^.[0-9]*/STEP/' after | sort; echo "-- environment"; cat env1; echo "-- afterwards"; cat env2; cat nodes; sort now
echo "-- output"; grep -o 'done' job.out | wc -l; grep -cE 'srun: error: n[34]: task [0-9]+: Killed' job.out
cat slurm_job_${id}_resize.sh slurm_job_${id}_resize.csh; stat -c '%a' slurm_job_${id}_resize.*
echo "-- accounting"; sleep 1
sacct -X -j $id -n -P -o state,nnodes,ncpus,nodelist,exitcode,alloctres
sacct -X -j $id -n -P -s RESIZING -o state,nnodes
echo "-- by name, and what is refused"
id=$(sbatch --parsable -N4 -t5 -o none --wrap 'sleep 60'); for i in 1 2 3 4 5 6 7 8 9 10; do [ "$(squeue -h -j $id -o %t)" = R ] && break; sleep 0.3; done
up() { echo "+ $*"; scontrol update jobid=$id "$@" 2>&1 | sed "s/$id/ID/g; s/${id2-none}/ID/g"; echo "rc ${PIPESTATUS[0]}"; }
up numnodes=5; up numnodes=0; up numnodes=1-2; up numnodes=x; up numnodes=2k; up nodelist=n5; up nodelist=; up nodelist=n9; up numcpus=1; up numtasks=1
up nodelist=n[1,3]; scontrol show job $id | grep -oE '(NodeList|BatchHost|NumNodes|NumCPUs|TRES)=[^ ]*'; scontrol show job $id | grep -c ResizeTime=20
up nodelist=n[1,2]; up reqnodelist=n1; squeue -h -j $id -o '%D %N %C %t'
SLURM_JOBID=$id SLURM_NNODES=4 scontrol update jobid=$id numnodes=1 | sed "s/$id/ID/g"; SLURM_JOBID=$id SLURM_NNODES=4 scontrol update jobid=$id numnodes=2; ls slurm_job_${id}_* 2>/dev/null | wc -l
scancel $id
echo "-- arrays, several at once"
id=$(sbatch --parsable -N2 -a1-2 -t5 -o none --wrap 'sleep 60'); for i in 1 2 3 4 5 6 7 8 9 10; do [ "$(squeue -h -r -j $id -t R -o %t | wc -l)" = 2 ] && break; sleep 0.3; done
up numnodes=1; id2=$id; id=${id2}_2; up numnodes=1; id=${id2}_[1-2]; up numnodes=1; squeue -h -r -j $id2 -o '%K %D' | sort; id=$id2,$id2; up numnodes=1
scancel $id2
