# topic: scontrol
# as: root
# limit: 60
# Values of scontrol update that are none, what comes first where several things are wrong, and reservations' flags; sockets.
. "$CT_LIB"
cleanup() { scontrol delete reservationname=r651; }
up() { echo "== ${*:2}"; try as_user "${@:1:1}" scontrol update jobid=$J "${@:2}"; }
submit_as alice -H -n2 -t 10 --wrap 'sleep 30'
for kv in CoreSpec=x CPUsPerTask=x DelayBoot=x MinCPUsNode=x MinTmpDiskNode=x ReqSockets=x ReqCores=x TasksPerNode=x Switches=x Requeue=x MinMemoryNode=x OverSubscribe=x MailType=foo Nice=x; do up alice $kv; done
up alice MailType=ALL; field $J MailType
up alice Switches=1@10; field $J Switches
field $J Reason; up root Priority=0; field $J Reason
submit_as alice -n2 -t 10 --wrap 'sleep 30'; wait_state $J RUNNING
for kv in Licenses=matlab:9 Licenses=matlab:2 QOS=nosuch QOS=high ReservationName= ReservationName=nosuch; do up alice $kv; done
up alice TimeLimit=0; scancel $J; wait_done $J
res() { echo "== $*"; try scontrol "${1}" reservationname=r651 "${@:2}"; }
res create starttime=now+1hour duration=10 users=alice nodes=n1
for kv in users-=nosuch flags+=replace flags+=time_float flags-=foo flags+=spec_nodes users+=bob; do res update $kv; done
scontrol -o show reservation r651 | tr -s ' ' | grep -oE '(Flags|Users)=[^ ]*'
# Which sockets are free where a job asks for cores or tasks on each.
hold() { submit_as alice -w $1 -n $2 -t 5 --wrap 'sleep 50'; wait_state $J RUNNING; }
on() { submit_as alice -t 5 "$@" --wrap 'sleep 50'; wait_state $J RUNNING 4 >/dev/null; echo "$* $(state $J) $(scontrol -o -d show job $J | grep -oE 'Nodes=n[^ ]* CPU_IDs=[^ ]*' | paste -sd' ')"; scancel $J; wait_done $J; }
hold n1 6; hold n2 10; hold n3 8; hold n4 2
on -n4 --cores-per-socket=3; on -n10 --cores-per-socket=3; on -n4 --sockets-per-node=2; on -n20 --sockets-per-node=2; on -n12 --ntasks-per-socket=2; on -n6 -c3 --ntasks-per-socket=2; on -n20 -N2; on -n6 --ntasks-per-socket=3 -B 2:3; on -n8 --hint=compute_bound --sockets-per-node=2
