# topic: node
# as: root
# What may be changed of a node, and what is refused.
# limit: 120
. "$CT_LIB"
cleanup() { scontrol update nodename='n[1-4]' state=resume; scontrol update nodename='n[1-4]' weight=1 comment= extra=; scontrol update nodename=n1 cpubind=off; scontrol update nodename=n1 nodeaddr=127.0.0.1; scontrol update nodename=n4 availablefeatures=slow,eth,rack2 activefeatures=slow,eth,rack2; }
u() { echo "$*: $(scontrol update nodename="$@" 2>&1) $?" | normalise; }
f() { scontrol show node $1 | grep -vE 'CPULoad|OS=|Version|FreeMem|BootTime|LastBusy|^ *$'| sed -E 's/(Reason=.*\[)[^]]*\]/\1WHEN]/; s/CPULoad=\S+//; s/ResumeAfterTime=None//; s/\+NOT_RESPONDING//; s/ +$//'; }
f n1; f n4
u n1 weight=7; u n1 weight=x; u n1 weight=-1; u n1 weight=; u n1 weight=4294967295; u n1 weight=0; f n1 | grep -i weight; u n1 weight=1
u n4 features=a,b; f n4 | grep Feat; u n4 availablefeatures=x,y activefeatures=x; f n4 | grep Feat; u n4 activefeatures=zz; u n4 availablefeatures=; f n4 | grep Feat; u n4 activefeatures=; u n4 features=slow,eth,rack2; f n4 | grep Feat
u n4 gres=gpu:1; u n4 gres=gpu:a100:2; u n4 gres=; f n4 | grep -i gres; u n1 gres=gpu:a100:2; f n1 | grep -i gres; u n1 gres=gpu:a100:4; f n1 | grep -i gres
u n1 comment='a b'; u n1 extra=data; f n1 | grep -E 'Comment|Extra'; u n1 comment=; u n1 extra=; f n1 | grep -E 'Comment|Extra'
u n1 cpubind=core; f n1 | grep -i cpubind; u n1 cpubind=socket; f n1 | grep -i cpubind; u n1 cpubind=nosuch; u n1 cpubind=off; u n1 cpubind=none; f n1 | grep -i cpubind
u n1 nodeaddr=127.0.0.2; f n1 | grep Addr; u n1 nodeaddr=127.0.0.1; u n1 nodehostname=vm; f n1 | grep Addr | sed "s/$(hostname -s)/HOST/"; u n1 nodehostname=; u 'n[1-2]' nodeaddr=127.0.0.1
u n1 reason=why; f n1 | grep -E 'Reason|State'; u n1 reason=; f n1 | grep -E 'Reason|State'; u n1 reason='with  blanks '; f n1 | grep -E 'Reason|State'; u n1 reason=
u n1 state=drain; u n1 state=drain reason=; u n1 state=down; u n1 state=fail; u n1 state=failing; u n1 state=nosuch; u n1 state=; u n1 state=alloc; u n1 state=mixed; u n1 state=unknown; u n1 state=idle; u n1 state=drained; u n1 state=draining; u n1 state=maint; u n1 state=planned; u n1 state=completing; u n1 state=reboot
u nosuch weight=1; u 'n[1-9]' weight=1; u 'n[1' weight=1; u '' weight=1; u n1; u n1 nosuch=3; u n1 weight; u; u n1 cpus=4; u n1 realmemory=100; u n1 port=1; u n1 resumeafter=x; u n1 resumeafter=; u n1,n2 weight=1
try scontrol update node=n1 weight=2; try scontrol update nodes=n1 weight=2; try scontrol update nodenam=n1 weight=1; try scontrol update NODENAME=n1 WEIGHT=1; try scontrol update n1 weight=1; try scontrol update weight=1; try scontrol update weight=1 nodename=n1
for c in "weight=2" "state=drain reason=x" "comment=x" "features=x"; do echo "$c: $(as_user alice scontrol update nodename=n1 $c 2>&1) $?"; done
try scontrol update nodename=n1 state=drain reason="it's broken" ; f n1 | grep -E 'State|Reason'; sinfo -h -n n1 -p short -o '%t %T %E'; u n1 reason=other; f n1 | grep -E 'State|Reason'; u n1 state=resume; f n1 | grep -E 'State|Reason'; u n1 state=resume
poll 20 bash -c '! sinfo -h -o %t | grep -qF "*"'; f n1; f n4; scontrol show node nosuch; echo $?; scontrol show node n1,n9 | grep -c NodeName; scontrol show nodes n2 | head -1 | cut -c1-20; scontrol -o show node n2 | wc -l; scontrol show node 'n[2-3]' | grep -c NodeName; scontrol show node | grep -c NodeName; scontrol -a show node n1 | wc -l; scontrol -d show node n1 | wc -l; scontrol -F show node | grep -c NodeName; scontrol show node=n1 | head -1 | cut -c1-20;  scontrol show node n1 n2 2>&1| head -1
