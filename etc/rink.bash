# Completion for bash. Made by make man from the help texts.
# Put it into /usr/share/bash-completion/completions, or source it.

# _rink_values OPTION: what the value of an option may be, asked of the cluster.
_rink_values() {
	case $1 in
	-p | --partition | --partitions) sinfo -h -a -o %R 2>/dev/null | sort -u ;;
	-w | -n | --nodelist | --nodes | --node | -x | --exclude) sinfo -h -N -o %N 2>/dev/null | sort -u ;;
	-j | --jobs | --job | --jobid | -d | --dependency) squeue -h -a --me -o %i 2>/dev/null ;;
	-u | --user | --users | --uid) squeue -h -a -o %u 2>/dev/null | sort -u; echo "$USER" ;;
	-q | --qos) sacctmgr -n -P show qos format=name 2>/dev/null ;;
	-A | --account | --accounts) sacctmgr -n -P show account format=account 2>/dev/null ;;
	--reservation) scontrol -o show reservation 2>/dev/null | sed -n 's/^ReservationName=\([^ ]*\).*/\1/p' ;;
	-M | --cluster | --clusters) sacctmgr -n -P show cluster format=cluster 2>/dev/null; echo all ;;
	-t | --state | --states) echo all pending running suspended completed cancelled failed timeout node_fail preempted ;;
	esac
}

_rink() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} options words
	if [ "$cur" = = ]; then cur=; fi
	if [ "$prev" = = ]; then prev=${COMP_WORDS[COMP_CWORD - 2]}; fi
	case ${COMP_WORDS[0]##*/} in
	rinkctld)
		options="--check --help --join --name -D -L -V -f -h -v"
		;;
	rinknoded)
		options="--help --join -C -D -L -N -V -b -f -h -v"
		;;
	rinkrestd | slurmrestd)
		options="--generate-openapi-spec --help --max-connections --vv --vvv --vvvv -V -a -d -f -g -h -s -t -u -v"
		;;
	sbatch | rbatch)
		options="--account= --acctg-freq= --array= --autocomplete= --batch= --bb= --bbf= --begin= --chdir= --cluster-constraint= --cluster= --clusters= --comment= --consolidate-segments --constraint= --container-id= --container-type= --container= --context= --contiguous --core-spec= --cores-per-socket= --cpu-freq= --cpus-per-gpu= --cpus-per-task= --deadline= --delay-boot= --dependency= --distribution= --error= --exclude= --exclusive --export-file= --export= --external --extra-node-info= --extra= --get-user-env --gid= --gpu-bind= --gpu-freq= --gpus-per-node= --gpus-per-socket= --gpus-per-task= --gpus= --gres-flags= --gres= --help --hint= --hold --ignore-pbs --input= --isolation= --job-name= --kill-on-invalid-dep= --licenses= --mail-type= --mail-user= --mcs-label= --mem-bind= --mem-per-cpu= --mem-per-gpu= --mem-update= --mem= --mincpus= --network= --nice --no-kill --no-requeue --nodefile= --nodelist= --nodes= --ntasks-per-core= --ntasks-per-gpu= --ntasks-per-node= --ntasks-per-socket= --ntasks-per-tres= --ntasks= --oom-kill-step --open-mode= --output= --overcommit --oversubscribe --parsable --partition= --power= --prefer= --priority= --profile= --propagate --qos= --quiet --reboot --requeue --reservation= --resources= --resv-ports --segment= --signal= --sockets-per-node= --spread-job --spread-segments --stepmgr --switches= --tasks-per-node= --test-only --thread-spec= --threads-per-core= --time-min= --time= --tmp= --tres-bind= --tres-per-task= --uid= --usage --use-min-nodes --verbose --version --wait --wait-all-nodes= --wckey= --wrap= -A -B -C -D -F -G -H -J -L -M -N -O -Q -S -V -W -a -b -c -d -e -h -i -k -m -n -o -p -q -s -t -v -w -x"
		;;
	squeue | rqueue)
		options="--Format= --account= --accounts= --all --array --array-unique --cluster= --clusters= --expand-patterns --federation --format= --help --helpFormat --helpformat --helpstate --hide --iterate= --jobs --json --licenses= --local --long --me --name= --noconvert --node= --nodelist= --nodes= --noheader --notme --only-job-state --partition= --partitions= --priority --qos= --reservation= --run= --running-over= --running-under= --sib --sibling --sort= --start --state= --states= --steps --usage --user= --users= --verbose --version --yaml -A -L -M -O -P -R -S -V -a -h -i -j -l -n -o -p -q -r -s -t -u -v -w"
		;;
	scancel | rcancel)
		options="--account= --admin-comment= --autocomplete= --batch --cluster= --clusters= --cron --ctld --full --help --hurry --interactive --jobname= --me --name= --nodelist= --partition= --qos= --quiet --reservation= --run= --sibling= --signal= --state= --usage --user= --verbose --version --wckey= -A -H -M -Q -R -V -b -c -f -i -n -p -q -s -t -u -v -w"
		;;
	sinfo | rinfo)
		options="--Format= --Node --all --cluster= --clusters= --dead --exact --federation --format= --future --help --helpFormat --helpformat --helpstate --hide --iterate= --json --list-reasons --local --long --noconvert --nodes= --noheader --partition= --reservation --responding --sort= --states= --summarize --usage --verbose --version --yaml -F -M -N -O -R -S -T -V -a -d -e -h -i -l -n -o -p -r -s -t -v"
		;;
	srun | rrun)
		options="--accel-bind= --account= --acctg-freq= --async --autocomplete= --bb= --bbf= --bcast --bcast-exclude= --begin= --chdir= --cluster-constraint= --cluster= --clusters= --comment= --compress --consolidate-segments --constraint= --container-id= --container-type= --container= --context= --contiguous --core-spec= --cores-per-socket= --cpu-bind= --cpu-freq= --cpu_bind= --cpus-per-gpu= --cpus-per-task= --deadline= --debugger-test --delay-boot= --dependency= --disable-status --distribution= --epilog= --error= --exact --exclude= --exclusive --export= --external-launcher --extra-node-info= --extra= --gid= --gpu-bind= --gpu-freq= --gpus-per-node= --gpus-per-socket= --gpus-per-task= --gpus= --gres-flags= --gres= --help --het-group= --hint= --hold --ignore-signals= --immediate --input= --interactive --isolation= --job-name= --jobid= --kill-on-bad-exit --label --licenses= --mail-type= --mail-user= --mcs-label= --mem-bind= --mem-per-cpu= --mem-per-gpu= --mem-update= --mem= --mincpus= --mpi= --msg-timeout= --multi-prog --network= --nice --no-allocate --no-kill --nodefile= --nodelist= --nodes= --ntasks-per-core= --ntasks-per-gpu= --ntasks-per-node= --ntasks-per-socket= --ntasks-per-tres= --ntasks= --oom-kill-step --open-mode= --output= --overcommit --overlap --oversubscribe --pack-group= --parsable --partition= --power= --prefer= --preserve-env --priority= --profile= --prolog= --propagate --pty --qos= --quiet --quit-on-interrupt --reboot --relative= --reservation= --resources= --resv-ports --segment= --send-libs --signal= --slurmd-debug= --sockets-per-node= --spread-job --spread-segments --stepmgr --switches= --task-epilog= --task-prolog= --tasks-per-node= --test-only --thread-spec= --threads-per-core= --threads= --time-min= --time= --tmp= --treewidth= --tres-bind= --tres-per-task= --uid= --unbuffered --usage --use-min-nodes --verbose --version --wait-for-children --wait= --wckey= --whole --x11 -A -B -C -D -E -F -G -H -I -J -K -L -M -N -O -Q -S -T -V -W -X -Z -b -c -d -e -h -i -k -l -m -n -o -p -q -r -s -t -u -v -w -x"
		;;
	salloc | ralloc)
		options="--account= --acctg-freq= --autocomplete= --bb= --bbf= --begin= --bell --chdir= --cluster-constraint= --cluster= --clusters= --comment= --consolidate-segments --constraint= --container-id= --container-type= --container= --context= --contiguous --core-spec= --cores-per-socket= --cpu-freq= --cpus-per-gpu= --cpus-per-task= --deadline= --delay-boot= --dependency= --distribution= --exclude= --exclusive --extra-node-info= --extra= --get-user-env --gid= --gpu-bind= --gpu-freq= --gpus-per-node= --gpus-per-socket= --gpus-per-task= --gpus= --gres-flags= --gres= --help --hint= --hold --immediate --isolation= --job-name= --kill-command --licenses= --mail-type= --mail-user= --mcs-label= --mem-bind= --mem-per-cpu= --mem-per-gpu= --mem-update= --mem= --mincpus= --network= --nice --no-bell --no-kill --no-shell --nodefile= --nodelist= --nodes= --ntasks-per-core= --ntasks-per-gpu= --ntasks-per-node= --ntasks-per-socket= --ntasks-per-tres= --ntasks= --oom-kill-step --overcommit --oversubscribe --partition= --power= --prefer= --priority= --profile= --qos= --quiet --reboot --reservation= --resources= --resv-ports --segment= --signal= --sockets-per-node= --spread-job --spread-segments --stepmgr --switches= --tasks-per-node= --thread-spec= --threads-per-core= --time-min= --time= --tmp= --tres-bind= --tres-per-task= --uid= --usage --use-min-nodes --verbose --version --wait-all-nodes= --wckey= --x11 -A -B -C -D -F -G -H -I -J -K -L -M -N -O -Q -S -V -b -c -d -h -k -m -n -p -q -s -t -v -w -x"
		;;
	scontrol | rcontrol)
		options="--all --cluster= --clusters= --details --federation --future --help --hide --json --local --oneliner --quiet --sibling --uid= --usage --verbose --version --yaml -F -M -Q -V -a -d -h -o -u -v"
		words="show create delete update hold uhold release requeue requeuehold suspend resume top notify wait_job write ping reconfigure completing listjobs liststeps listpids pidinfo getaddrs errnumstr reboot cancel_reboot setdebug setdebugflags token version job node partition reservation step config license hostnames hostlist topology assoc_mgr daemons aliases"
		;;
	sacct | racct)
		options="--accounts= --allclusters --allocations --allusers --array --associations= --batch-script --brief --cluster= --clusters= --completion --constraints= --delimiter= --duplicates --endtime= --env-vars --expand-patterns --federation --fields= --file= --flags= --format= --gid= --group= --help --help-fields --helpformat --helpreason --helpstate --jobs= --json --local --long --name= --ncpus= --nnodes= --noconvert --nodelist= --noheader --parsable --parsable2 --partition= --qos= --reason= --starttime= --state= --timelimit-max= --timelimit-min= --truncate --uid= --units= --usage --use-local-uid --user= --verbose --version --wckeys= --whole-hetjob= --yaml -A -B -C -D -E -F -I -K -L -M -N -P -R -S -T -U -V -W -X -a -b -c -e -f -g -h -i -j -k -l -n -o -p -q -r -s -u -v -x"
		;;
	sprio | rprio)
		options="--cluster= --clusters= --federation --format= --help --helpformat --jobs= --local --long --noheader --norm --partition= --partitions= --sib --sibling --sort= --usage --user= --users= --verbose --version --weights -M -S -V -h -j -l -n -o -p -u -v -w"
		;;
	sshare | rshare)
		options="--Users --accounts= --all --cluster= --clusters= --format= --help --helpformat --json --long --noheader --parsable --parsable2 --partition --usage --user= --users= --verbose --version --yaml -A -M -P -U -V -a -e -l -m -n -o -p -u -v"
		;;
	sreport | rreport)
		options="--all_clusters --cluster= --clusters= --federation --help --immediate --local --noheader --parsable --parsable2 --quiet --sort= --time= --tres= --usage --verbose --version -M -P -Q -T -V -a -h -i -n -p -s -t -v"
		words="cluster job user reservation Utilization AccountUtilizationByUser UserUtilizationByAccount TopUsage SizesByAccount"
		;;
	sstat | rstat)
		options="--allsteps --fields= --format= --help --helpformat --jobs= --noconvert --noheader --parsable --parsable2 --pidformat --usage --verbose --version -P -V -a -e -h -i -j -n -o -p -v"
		;;
	sdiag | rdiag)
		options="--all --cluster= --clusters= --help --json --no-trunc --reset --sort-by-id --sort-by-time --sort-by-time2 --usage --version --yaml -M -T -V -a -h -i -r -t"
		;;
	sbcast | rbcast)
		options="--compress --exclude= --fanout= --force --help --jobid= --no-allocation --nodelist= --preserve --send-libs --size= --timeout= --treewidth= --usage --verbose --version -C -F -V -Z -f -j -p -s -t -v -w"
		;;
	sattach | rattach)
		options="--debugger-test --error-filter= --help --input-filter= --label --layout --output-filter= --pty --quiet --usage --verbose --version -Q -V -h -l -u -v"
		;;
	scrontab | rcrontab)
		options="--autocomplete= --help --usage --version -V -e -h -l -r -u -v"
		;;
	strigger | rtrigger)
		options="--autocomplete= --backup_slurmctld_assumed_control --backup_slurmctld_failure --backup_slurmctld_resumed_operation --burst_buffer --clear --cluster= --clusters= --down --drained --draining --fail --fini --flags= --get --help --id= --idle --jobid= --node --noheader --offset= --primary_database_failure --primary_database_resumed_operation --primary_slurmctld_acct_buffer_full --primary_slurmctld_failure --primary_slurmctld_resumed_control --primary_slurmctld_resumed_operation --primary_slurmdbd_failure --primary_slurmdbd_resumed_operation --program= --quiet --reconfig --resume --set --time --up --usage --user= --verbose --version -A -B -C -D -F -G -H -I -M -N -Q -R -V -a -b -c -d -e -f -g -h -i -j -n -o -p -r -t -u -v"
		;;
	seff)
		options="-V -d -h -v"
		;;
	reff)
		options="--accounts= --by= --endtime= --format= --help --herd= --noheader --starttime= --user= --version --weekly --weeks= -A -E -S -V -b -f -h -n -r -u -w"
		;;
	sacctmgr | racctmgr)
		options="--associations --help --immediate --json --noheader --oneliner --parsable --parsable2 --quiet --readonly --usage --verbose --version --yaml -P -Q -V -h -i -n -o -p -r -s -v"
		words="add modify delete show list dump load ping reconfigure account user association qos cluster coordinator event reservation resource transaction tres wckey"
		;;
	rink)
		options="--help --version"
		words="adopt metrics controller barn dev exec export import sim token why help links version"
		;;
	esac
	case $cur in
	-*)
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
		case ${COMPREPLY[*]} in *=) compopt -o nospace 2>/dev/null ;; esac
		;;
	*)
		local values
		values=$(_rink_values "$prev")
		if [ -n "$values" ]; then
			mapfile -t COMPREPLY < <(compgen -W "$values" -- "$cur")
		elif [ -n "$words" ]; then
			mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		;;
	esac
}

complete -F _rink racct racctmgr ralloc rattach rbatch rbcast rcancel rcontrol rcrontab rdiag reff rinfo rink rinkctld rinknoded rinkrestd rprio rqueue rreport rrun rshare rstat rtrigger sacct sacctmgr salloc sattach sbatch sbcast scancel scontrol scrontab sdiag seff sinfo slurmrestd sprio squeue sreport srun sshare sstat strigger
