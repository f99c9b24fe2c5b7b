# topic: sacctmgr
# as: root
# Accounts: parents, moves, what is listed and how.
. "$CT_LIB"
cleanup() { sacctmgr -i delete account sub1,sub2,top1; }
try sacctmgr -i add account top1
try sacctmgr -i add account name=sub1 parent=top1 desc="the first" org=lab cluster=ref
try sacctmgr -i add account sub2,sub3 parent=top1 maxjobs=3 grpsubmit=9 priority=5
try sacctmgr -i add account sub2,sub4 parent=top1
try sacctmgr -i add account bad parent=nosuch
try sacctmgr -i add account
try sacctmgr -i add account bad2 nosuch=3
try sacctmgr -i add account bad3 cluster=other
sacctmgr show account sub1,sub2,top1
sacctmgr -P -n show account sub1,sub2 format=account,desc,org
sacctmgr -n show account sub1 withassoc format=account%8,cluster,parentname%-10,share,user
sacctmgr show account sub1 withcoord
sacctmgr -p show account where name=sub1
sacctmgr -n -P show account where org=lab
sacctmgr -n -P show account desc="the first" format=acc
sacctmgr -n -P list assoc tree account=top1,sub1,sub2 format=account,user,share
sacctmgr -n list assoc tree account=top1,sub1,sub2 format=account%20,user,share
try sacctmgr -i modify account sub1 set parent=sub2
try sacctmgr -i modify account sub2 set parent=sub1
try sacctmgr -i modify account sub1 set desc="another" org=there
try sacctmgr -i modify account where name=sub1 org=there set fairshare=parent maxsubmit=4
try sacctmgr -i modify account sub1 set fairshare=-1
try sacctmgr -i modify account sub1 set parent=nosuch
try sacctmgr -i modify account sub1 set nosuch=1
try sacctmgr -i modify account sub1
try sacctmgr -i modify account set maxjobs=1 nosuch
try sacctmgr -i modify account where nosuch=x set maxjobs=1
sacctmgr -n -P show assoc account=sub1 format=account,parentname,share,maxsubmit,maxjobs
try sacctmgr -i delete account sub3
try sacctmgr -i delete account sub3
try sacctmgr -i delete account top1
try sacctmgr -i delete account
try sacctmgr -i delete account nosuch
try sacctmgr show account nosuch
try sacctmgr -n show account nosuch
try sacctmgr show account format=nosuch
try sacctmgr show account nosuch=1
try sacctmgr show nosuch
try sacctmgr nosuch
try sacctmgr add nosuch
try sacctmgr modify nosuch
try sacctmgr delete nosuch
