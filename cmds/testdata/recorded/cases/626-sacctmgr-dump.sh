# topic: sacctmgr
# as: root
# Dump, load, deleted ones, transactions.
. "$CT_LIB"
cleanup() { sacctmgr -i delete user bob account=dumped; sacctmgr -i delete account dumped,loaded; }
sacctmgr -i -Q add account dumped desc="to be dumped" org=lab fairshare=3 maxjobs=4; sacctmgr -i -Q add user bob account=dumped
sacctmgr dump ref file=$PWD/d.cfg | sed "s#$PWD#DIR#"; echo "rc=$?"
sed 's/^#.*//' d.cfg | grep -v '^$'
sacctmgr dump cluster=ref file=$PWD/e.cfg >/dev/null; diff d.cfg e.cfg && echo same
try sacctmgr dump nosuch file=$PWD/x.cfg
printf "Cluster - 'ref'\nParent - 'root'\nAccount - 'loaded':Description='from a file':Organization='lab':Fairshare=8:MaxJobs=2\nParent - 'loaded'\nUser - 'bob':Fairshare=2\n" >l.cfg
sacctmgr -Q -i load file=$PWD/l.cfg
sacctmgr -n -P show assoc account=loaded format=account,user,share,maxjobs
sacctmgr -Q -i load $PWD/l.cfg
printf "Cluster - 'ref'\nParent - 'nosuch'\nUser - 'bob'\n" >m.cfg
try sacctmgr -i load $PWD/m.cfg
try sacctmgr -i delete user bob account=loaded,dumped
try sacctmgr -i delete account loaded,dumped
sacctmgr -n -P show account loaded
sacctmgr -n -P show account loaded withdeleted
sacctmgr -n -P show assoc account=dumped withdeleted format=account,user,share
sacctmgr -n -P show transactions action="Remove Accounts" start=now-1minutes format=action,actor,where | tail -1
try sacctmgr -i add account dumped
sacctmgr -n -P show assoc account=dumped withdeleted format=account,user,share
