# topic: sacctmgr
# as: root
# limit: 60
# Words of sacctmgr: keys, clusters, kinds of resources, events and transactions, options, mistakes.
. "$CT_LIB"
cleanup() { sacctmgr -i delete user daemon; sacctmgr -i delete user alice wckey=w1; sacctmgr -i delete account wa; }
t() { echo "\$ $*"; try sacctmgr "$@"; }
t -i add user daemon; t -i add account wa fairshare=7; t -i add user daemon defaultaccount=nosuch; t -i add user daemon account=wa nosuch=2; t -i add user daemon account=wa fairshare=x; t -i add user daemon account=wa maxwall=x; t -i add user daemon account=wa maxtres=nosuch=3; t -i add user daemon account=wa defaultqos=nosuch; t -i add user daemon account=wa cluster=nosuch; t -i add user daemon account=wa adminlevel=nosuch fairshare=3 maxjobs=2 qos=normal,low defaultqos=low; t -nP list user daemon withassoc; t list users daemon -s; t -nP show user daemon format=; t -nP show user daemon format=%5; t show user daemon format=user,,admin%3
t -i mod cluster ref set nosuch=5; t -i mod cluster nosuch set grpjobs=5; t -i add cluster; t -i add cluster ref; t -i delete cluster; t -i delete cluster nosuch; t -n show cluster nosuch; t -i mod account physics set maxjobs=4; t -i mod account physics set maxjobs=-1
t -i add user alice wckey=w1; t -nP list wckey; t -nP list wckey wckey=w1 format=user,cluster,wckey; t -i delete user alice wckey=w1; t -i add wckey w1; t -i delete wckey w1; t -nP list wckey
t list tres type=gres; t -nP list tres name=gpu; t -nP list tres id=1,2; t list tres nosuch=1; t -i add tres x; t list federation; t -i delete federation; t list reservation format=name,nosuch; t list resource
t list events nosuch=1; t -n list events event=cluster format=cluster,event; t list events event=nosuch; t -n list transaction action=nosuch; t -n list transaction actor=nosuch; t list transaction format=nosuch
t add; t delete; t modify; t mod user; t dump; t dump nosuch; t load; t load nosuch; t archive; t archive nosuch; t -r add account a1; t -r list account chem; t -Z; t -p -P -n list account chem; t -o list account chem; t -Q -i mod account wa set fairshare=3; t -Q -i delete account nosuch; t -i -nP LIST ACCOUNT NAME=wa FORMAT=Account; t -nP list account wa format=account format=org
t -nP list assoc partition=debug; t -nP list assoc id=1,2 format=acc,user; t -nP list assoc defaultqos=tiny format=acc; t -nP list assoc where user=daemon format=acc,user,part,share,def,qos order=x
