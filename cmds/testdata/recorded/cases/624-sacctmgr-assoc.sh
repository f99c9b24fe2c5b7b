# topic: sacctmgr
# as: root
# Associations: listing, conditions, columns, widths, limits.
. "$CT_LIB"
cleanup() { sacctmgr -i modify account capped set maxjobs=-1 maxsubmit=-1 grpwall=-1 grpsubmit=-1 priority=-1 grptresmins=cpu=-1; sacctmgr -i modify user alice account=capped set maxtres=cpu=-1,mem=-1,gres/gpu=-1 qos= defaultqos=-1; }
sacctmgr show assoc account=chem,capped format=cluster,account,user,partition,share,grpjobs,grptres,grpsubmit,grpwall,grptresmins,maxjobs,maxtres,maxtrespernode,maxsubmit,maxwall,maxtresmins,qos,def,grptresrunmins
sacctmgr -n -P show assoc where account=capped user=
sacctmgr -n -P show assoc user=alice format=account,user,share | sort
sacctmgr -n -P show assoc user=alice,bob account=chem format=user
sacctmgr -n -P show assoc format=account,user,share,parentname
sacctmgr show assoc tree format=account%20,user,share
sacctmgr -n -P show assoc parent=physics format=account
sacctmgr -n -P show assoc account=physics withsub format=account,user
sacctmgr -n -P show assoc onlydefaults format=account,user
sacctmgr -n -P show assoc cluster=ref account=chem format=cluster,account,user
sacctmgr -n -P show assoc cluster=nosuch format=account
sacctmgr -n -P show assoc qos=low user=bob format=account,user
sacctmgr -n -P show assoc account=capped wopinfo format=account,user,parentname,maxwall,grptres
sacctmgr -n -P show assoc account=capped woplimits format=account,user,maxtres,maxwall,grptres
sacctmgr -n -P show assoc account=capped wolimits
sacctmgr -n -P show assoc user=bob withrawqos format=account,user,qosraw
sacctmgr -n -p show assoc account=capped format=acc,user,maxw,grptres
sacctmgr show assoc account=capped format=lft,rgt,id | head -2
try sacctmgr show assoc format=nosuch
try sacctmgr show assoc nosuch=1
try sacctmgr show assoc account=nosuch
try sacctmgr -i modify account capped set maxjobs=5 maxsubmit=6 grpwall=60 grpsubmit=7 priority=3 grptresmins=cpu=1000
sacctmgr -n -P show assoc account=capped format=user,maxjobs,maxsubmit,grpwall,grpsubmit,priority,grptresmins,maxtres,maxwall
try sacctmgr -i modify user alice account=capped set maxtres=cpu=2,mem=1000,gres/gpu=1
sacctmgr -n -P show assoc account=capped user=alice format=maxtres
try sacctmgr -i modify user alice account=capped set maxtres=mem=-1
sacctmgr -n -P show assoc account=capped user=alice format=maxtres
try sacctmgr -i modify user alice account=capped set maxtres=nosuch=4
try sacctmgr -i modify user alice account=capped set maxwall=abc
try sacctmgr -i modify user alice account=capped set maxjobs=abc
try sacctmgr -i modify user alice account=capped set qos=nosuch
try sacctmgr -i modify user alice account=capped set qos+=nosuch
try sacctmgr -i modify user alice account=capped set defaultqos=nosuch
try sacctmgr -i modify user alice account=capped set defaultqos=low
sacctmgr -n -P show assoc account=capped user=alice format=qos,defaultqos
try sacctmgr -i modify user alice account=capped set defaultqos=-1
try sacctmgr -i modify user alice account=capped set qos=low,high
sacctmgr -n -P show assoc account=capped user=alice format=qos
try sacctmgr -i modify user alice account=capped set qos-=low
sacctmgr -n -P show assoc account=capped user=alice format=qos
try sacctmgr -i modify user alice account=capped set qos=
sacctmgr -n -P show assoc account=capped user=alice format=qos
try sacctmgr -i add assoc user=bob
try sacctmgr -i modify assoc account=chem set maxjobs=1
