# topic: sacctmgr
# as: root
# Coordinators and what they may.
. "$CT_LIB"
cleanup() { sacctmgr -i delete user bob account=kin; sacctmgr -i delete user daemon; sacctmgr -i delete account kin,grand,under; sacctmgr -i delete coordinator name=bob; }
sacctmgr -i -Q add account kin; sacctmgr -i -Q add account grand parent=kin
try sacctmgr -i add coordinator account=kin names=bob
try sacctmgr -i add coordinator account=kin names=bob
try sacctmgr -i add coordinator account=kin names=nosuch
try sacctmgr -i add coordinator account=nosuch names=bob
try sacctmgr -i add coordinator names=bob
try sacctmgr -i add coordinator account=kin
sacctmgr -n -P show account kin,grand withcoord
sacctmgr show account kin withcoord
sacctmgr -P show user bob withcoord
try as_user bob sacctmgr -i add user daemon account=kin
try as_user bob sacctmgr -i modify account grand set maxjobs=4
try as_user bob sacctmgr -i modify account physics set maxjobs=4
try as_user bob sacctmgr -i add account other
try as_user bob sacctmgr -i add account under parent=kin
try as_user bob sacctmgr -i modify user alice set fairshare=3
try as_user alice sacctmgr -i modify user alice account=physics set maxjobs=3
try as_user alice sacctmgr -i delete account kin
try as_user alice sacctmgr -i add qos mine
try as_user alice sacctmgr -i modify qos normal set priority=5
try as_user alice sacctmgr -i delete qos normal
try as_user alice sacctmgr -i add coordinator account=physics names=alice
try as_user alice sacctmgr -i modify user alice set adminlevel=admin
try as_user alice sacctmgr -i modify user alice set defaultaccount=chem
sacctmgr -n -P show user alice
try as_user alice sacctmgr -i modify user alice set defaultaccount=physics
try as_user alice sacctmgr -i modify user bob set defaultaccount=chem
as_user alice sacctmgr -n -P show user
as_user alice sacctmgr -n -P show account format=account
try sacctmgr -i delete coordinator names=bob account=kin
try sacctmgr -i delete coordinator names=bob account=kin
sacctmgr -n -P show account kin withcoord
