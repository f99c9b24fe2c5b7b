# limit: 120
# What a job is said to want while it waits, and to have had once it ran.
. "$CT_LIB"
o() { submit -H "$@" --wrap true || return; echo "$* : $(field $J NumNodes NumCPUs NumTasks CPUs/Task TRES MinCPUsNode MinMemoryNode MinMemoryCPU | sed 's/^[A-Za-z/]*=//' | paste -sd' ') $(squeue -h -j $J -o '%C %D %m %c')"; scancel $J; }
o -N 2-4
o -N 1-3
o -N 2-4 -n 8
o -N 2-4 -n 3
o -N 2-4 -c 2
o -N 1-3 -n 2
o -N 2-3 --ntasks-per-node=2
o -N 3 --ntasks-per-node=2
o -N 2-3 --mem-per-cpu=200
o -N 2-3 --mem=300
o -N 2
o -N 2 -c 4
o -N 1-1
o -N 2-2
o -n 4 -N 1-2
o --ntasks-per-node=3
o --gpus=2 --cpus-per-gpu=3
o --gpus-per-node=2 --cpus-per-gpu=3
o --gres=gpu:2 --cpus-per-gpu=3
o --gpus=2 --cpus-per-gpu=3 -n 2
o --gres=gpu:1 -N2
o --gpus=4 --ntasks-per-gpu=1
o --gpus=4 -N2
o --gpus-per-task=2 -n 3
o --mincpus=4
o --mincpus=4 -n 2
o --mincpus=4 -N2
o --mincpus=2 -n 6
o --exclusive
o --exclusive -N2
o --exclusive -n 3 --mem=0
o --mem=0
o --mem=0 -N2
o -n 20
o -n 33
o -B 2:4:1
o -B 2:4:1 -n 3
o -S 2
o -O -n 4
o -O -n 40 -N 2
o --ntasks-per-socket=2 -n 4
o --ntasks-per-core=1 -n 2
o --sockets-per-node=2
o -c 5 -n 2 --ntasks-per-node=1
o -t 5 -N4 -n 64
o -p single -N 1
o -p short -n 3
o -p short,single
