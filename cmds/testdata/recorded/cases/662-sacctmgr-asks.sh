# topic: sacctmgr
# as: root
# limit: 60
# What plain users, operators and coordinators are shown and refused; words that begin an entity; conditions that mean nothing or match nothing.
. "$CT_LIB"
cleanup() { sacctmgr -i modify user bob set adminlevel=none; sacctmgr -i delete coordinator account=chem names=bob; sacctmgr -i delete account zz; }
t() { echo "\$ $*"; try as_user bob sacctmgr "$@"; }
r() { echo "\$ $*"; try sacctmgr "$@"; }
for level in none operator; do
	sacctmgr -i -Q modify user bob set adminlevel=$level >/dev/null 2>&1; echo "== $level"
	t dump ref; t show runawayjobs; t show problem account=nosuch; t show wckey; t show stats; t shutdown; t -i add cluster other; t -i delete cluster ref; t -i add federation f1
	t -i add qos normal; t -i add resource name=r1 count=3 server=x; t -i add resource name=r1 count=3 server=x type=license; t -i modify user alice set adminlevel=operator; t -i modify user alice set adminlevel=admin
	t -i modify user bob set defaultaccount=physics; t -i modify user bob set defaultaccount=nosuch; t -i modify federation f1 set clusters=ref
done
sacctmgr -i -Q modify user bob set adminlevel=none; sacctmgr -i -Q add coordinator account=chem names=bob >/dev/null; echo == coordinator
t dump ref; t show runaway; t show problem; t show wckey user=bob; t -i archive dump; t -i modify user alice set adminlevel=operator
r delete q normal; r delete qo nosuch; r modify clus set fairshare=3; r -i add a zz; r -n show tre type=cpu; r show txn nosuch=1; r show txn action=nosuch; r show txn format=nosuch
r delete user nosuch=1; r delete account nosuch=1; r delete user nosuch nosuch=1; r delete qos nosuch=1; r modify job 5 set comment=x; r modify job where nosuch=1 set comment=x; r modify job where jobid=1 set comment
r -nP show account org=science,nothing format=account; r -nP show account account=chem,capped withassoc user=bob format=account,user; r -nP show account parent=physics withassoc format=account,user; r show account withassoc qos=nosuch; r show user set admin=admin
r -nP show cluster rpc=1; r show problem tree account=optics; r show runaway nosuch; r show assoc qos=nosuch; r clear; r clear nosuch; r reconfigure nosuch; r dump ref nosuch | sed -n "1,3p;\$p"; rm -f ref.cfg; r add federation
echo n | try sacctmgr show account cluster=ref; echo n | try sacctmgr -n show account parent=physics; echo y | try sacctmgr -nP show account user=bob format=account
