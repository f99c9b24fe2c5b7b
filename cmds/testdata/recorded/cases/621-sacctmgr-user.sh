# topic: sacctmgr
# as: root
# Users: default accounts, admin levels, partitions, coordinators.
. "$CT_LIB"
cleanup() { sacctmgr -i delete user bob account=acc1,acc2; sacctmgr -i delete user nobody,daemon,nosuchperson; sacctmgr -i delete account acc1,acc2; }
sacctmgr -i -Q add account acc1,acc2
try sacctmgr -i add user daemon
try sacctmgr -i add user daemon account=acc1
try sacctmgr -i add user daemon account=acc1
try sacctmgr -i add user daemon account=acc2 fairshare=5 maxjobs=2
try sacctmgr -i add user daemon account=nosuch
try sacctmgr -i add user name=nobody defaultaccount=acc2 adminlevel=Operator
try sacctmgr -i add user bob account=acc1 partition=short
try sacctmgr -i add user bob,daemon account=acc1,acc2 partition=debug
try sacctmgr -i add user nosuchperson account=acc1
sacctmgr show user daemon
sacctmgr -P show user daemon,nobody
sacctmgr -P show user daemon withassoc format=user,account,share,maxjobs,def,partition
sacctmgr -n -P show user nobody format=user,defaultaccount,admin
sacctmgr -n show user bob withassoc format=user,account,partition%10
sacctmgr -P show user adminlevel=operator
sacctmgr -n -P show user where defaultaccount=acc2
try sacctmgr -i modify user daemon set defaultaccount=acc2
try sacctmgr -i modify user daemon set defaultaccount=nosuch
try sacctmgr -i modify user daemon set adminlevel=nosuch
try sacctmgr -i modify user daemon set adminlevel=admin
try sacctmgr -i modify user daemon account=acc2 set maxjobs=7 grpjobs=3
try sacctmgr -i modify user where name=daemon cluster=ref account=acc1 set fairshare=11
try sacctmgr -i modify user daemon account=nosuch set fairshare=11
try sacctmgr -i modify user nosuch set fairshare=1
try sacctmgr -i modify user bob where account=acc1 partition=short set maxwall=10
sacctmgr -n -P show assoc user=bob account=acc1 format=account,partition,maxwall
try sacctmgr -i delete user daemon account=acc2
try sacctmgr -i delete user daemon account=acc1
try sacctmgr -i delete user nosuch
try sacctmgr -i delete user
try sacctmgr -i delete user bob partition=short
try sacctmgr -i delete account acc1
sacctmgr -n -P show assoc account=acc1,acc2 format=account,user,partition
try sacctmgr -i delete user name=daemon,nobody
try sacctmgr -n -P show user daemon
