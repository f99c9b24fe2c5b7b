# topic: submit
# limit: 60
# Values that options take and refuse, and what a job shows of them.
. "$CT_LIB"
F="NumNodes NumCPUs NumTasks CPUs/Task TRES MinCPUsNode MinMemoryNode MinMemoryCPU MinTmpDiskNode Socks/Node NtasksPerN:B:S:C ReqB:S:C:T CoreSpec ThreadSpec Features OverSubscribe Contiguous Licenses Network ReqSwitch Switches Power NodeList ReqNodeList ExcNodeList Reboot Requeue Nice Priority Reason"
o() { out=$(sbatch --parsable -H "$@" --wrap true 2>err); rc=$?; echo "+ $*"; cat err; if [ $rc = 0 ]; then remember $out; field $out $F >f; if [ -e f0 ]; then diff f0 f | grep '^>' ; else cp f f0; cat f; fi; squeue -h -j $out -o '%C|%D|%H|%I|%J|%c|%m|%d|%f|%h|%q|%r|%w|%X|%z|%B|%n|%x|%O|%g'; else echo rc=$rc; fi; }
o
o -n 4 -c 2
o -c 0
o -c -1
o -c x
o -c 2.5
o -n 0
o -n -1
o -n 1k
o -n ''
o -N 2-1
o -N 1-
o -N -2
o -N 2-x
o -N x-2
o -N 1k
o -N 1-2-3
o -N ''
o -N 1-4
o -N 4 -n 2
o -N 1-4 -n 2
o -N 5
o -N 1-5
o -n 64
o -n 65
o -n 16 -N 1
o -n 17 -N 1
o -n 32 -N 1-2
o --ntasks-per-node=0
o --ntasks-per-node=-1
o --ntasks-per-node=4 -n 6
o --ntasks-per-node=4 -N 2 -n 6
o --ntasks-per-node=16 -c 2
o --ntasks-per-socket=4
o --ntasks-per-socket=4 -n 20
o --ntasks-per-socket=x
o --ntasks-per-core=2
o --ntasks-per-core=0
o --tasks-per-node=2
o --cores-per-socket=4
o --cores-per-socket=9
o --sockets-per-node=1
o --sockets-per-node=3
o --threads-per-core=1
o --threads-per-core=2
o -B 2
o -B 2:8
o -B 2:8:1
o -B 2:9
o -B '*:4'
o -B x
o -B 1-2
o -B 1:2:3:4
o --extra-node-info=1:4
o --mincpus=8
o --mincpus=17
o --mincpus=0
o --mincpus=x
o --mem=0
o --mem=100K
o --mem=1.5G
o --mem=1T
o --mem=64000
o --mem=64001
o --mem=-1
o --mem=1GB
o --mem=1gb
o --mem=1X
o --mem=
