# limit: 120
# What a job is said to want while it waits, and to have had once it ran.
. "$CT_LIB"
o() { out=$(sbatch --parsable -o /dev/null "$@" --wrap 'sleep 0.2' 2>$CT_STATE/e) || { echo "$* : $(cat $CT_STATE/e)"; return; }; remember $out; J=$out; wait_done $J; wait_acct $J COMPLETED; echo "$* : $(squeue -h -t all -j $J -o '%C %D %m %c %N') $(field $J NumNodes NumCPUs NumTasks CPUs/Task TRES MinCPUsNode | sed 's/^[A-Za-z/]*=//' | paste -sd' ') $(sacct -n -X -P -j $J -o AllocTRES,NNodes,AllocCPUS)"; }
o -N 2-4
o -N 1-3
o -N 2-4 -n 8
o -N 2-3 -c 2
o -N 2-3 --mem=300
o --gpus=2 --cpus-per-gpu=3
o --mincpus=4
o --mincpus=4 -N2
o --mem=0
o --mem=0 -N2
o --exclusive
o --exclusive --mem=0
o -n 20
o -n 20 -N 2-4
o -c 5 -n 4
o --ntasks-per-node=2 -N 2
o -B 2:4:1 -n 8
o -O -n 20
o -N 2-4 --exclusive
o --spread-job -n 8 -N 2-4
o --use-min-nodes -N 1-3 -n 4
o --contiguous -N 2
o -w n2,n3 -n 3
o -w n[2-4]
