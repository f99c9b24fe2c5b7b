# topic: sacctmgr
# limit: 40
# What a user without rights may and may not, and how she is told.
. "$CT_LIB"
cleanup() { sacctmgr -i modify user alice set defaultqos=-1; sacctmgr -i modify user alice set defaultaccount=physics; }
for c in 'add account x1' 'add user x1 account=chem' 'add qos x1' 'add coordinator alice account=chem' 'modify account chem set fairshare=2' 'modify user bob set maxjobs=3' 'modify user alice set maxjobs=3' 'modify user alice set defaultaccount=chem' 'modify user alice set defaultaccount=physics' 'modify user alice set adminlevel=admin' 'modify user bob set defaultaccount=chem' 'modify qos normal set priority=3' 'delete account chem' 'delete user bob' 'delete user alice' 'delete qos tiny' 'modify resource r1 set count=4' 'delete resource r1' 'add wckey x' 'modify user alice set rawusage=0' 'modify user alice set defaultqos=tiny' 'modify user alice account=physics set defaultqos=-1' 'modify user alice set qos=normal' 'modify account physics set qos+=high'; do echo "\$ $c"; try sacctmgr -i $c; done
sacctmgr -nP list user format=user,def,admin; sacctmgr -nP list qos format=name
