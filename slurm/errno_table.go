package slurm

// The numbers and texts of Slurm that users and their programs know, by rising number.
const (
	ErrnoUnexpectedMsg                     Errno = 1000 // SLURM_UNEXPECTED_MSG_ERROR
	ErrnoProtocolAuthentication            Errno = 1007 // SLURM_PROTOCOL_AUTHENTICATION_ERROR
	ErrnoCtldCommunicationsConnectionError Errno = 1800 // SLURMCTLD_COMMUNICATIONS_CONNECTION_ERROR
	ErrnoCtldCommunicationsSendError       Errno = 1801 // SLURMCTLD_COMMUNICATIONS_SEND_ERROR
	ErrnoCtldCommunicationsReceiveError    Errno = 1802 // SLURMCTLD_COMMUNICATIONS_RECEIVE_ERROR
	ErrnoCtldCommunicationsShutdownError   Errno = 1803 // SLURMCTLD_COMMUNICATIONS_SHUTDOWN_ERROR
	ErrnoCtldCommunicationsBackoff         Errno = 1804 // SLURMCTLD_COMMUNICATIONS_BACKOFF
	ErrnoCtldCommunicationsHardDrop        Errno = 1805 // SLURMCTLD_COMMUNICATIONS_HARD_DROP
	ErrnoInvalidPartition                  Errno = 2000 // ESLURM_INVALID_PARTITION_NAME
	ErrnoDefaultPartitionNotSet            Errno = 2001 // ESLURM_DEFAULT_PARTITION_NOT_SET
	ErrnoAccessDenied                      Errno = 2002 // ESLURM_ACCESS_DENIED
	ErrnoJobMissingRequiredPartitionGroup  Errno = 2003 // ESLURM_JOB_MISSING_REQUIRED_PARTITION_GROUP
	ErrnoRequestedNodesNotInPartition      Errno = 2004 // ESLURM_REQUESTED_NODES_NOT_IN_PARTITION
	ErrnoTooManyRequestedCPUs              Errno = 2005 // ESLURM_TOO_MANY_REQUESTED_CPUS
	ErrnoInvalidNodeCount                  Errno = 2006 // ESLURM_INVALID_NODE_COUNT
	ErrnoMaxJobCount                       Errno = 2007 // ESLURM_MAX_JOB_COUNT
	ErrnoJobMissingSizeSpecification       Errno = 2008 // ESLURM_JOB_MISSING_SIZE_SPECIFICATION
	ErrnoJobScriptMissing                  Errno = 2009 // ESLURM_JOB_SCRIPT_MISSING
	ErrnoUserIDMissing                     Errno = 2010 // ESLURM_USER_ID_MISSING
	ErrnoDuplicateJobID                    Errno = 2011 // ESLURM_DUPLICATE_JOB_ID
	ErrnoPathnameTooLong                   Errno = 2012 // ESLURM_PATHNAME_TOO_LONG
	ErrnoNotTopPriority                    Errno = 2013 // ESLURM_NOT_TOP_PRIORITY
	ErrnoRequestedNodeConfigUnavailable    Errno = 2014 // ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE
	ErrnoRequestedPartConfigUnavailable    Errno = 2015 // ESLURM_REQUESTED_PART_CONFIG_UNAVAILABLE
	ErrnoNodesBusy                         Errno = 2016 // ESLURM_NODES_BUSY
	ErrnoInvalidJobID                      Errno = 2017 // ESLURM_INVALID_JOB_ID
	ErrnoInvalidNodeName                   Errno = 2018 // ESLURM_INVALID_NODE_NAME
	ErrnoWritingToFile                     Errno = 2019 // ESLURM_WRITING_TO_FILE
	ErrnoTransitionStateNoUpdate           Errno = 2020 // ESLURM_TRANSITION_STATE_NO_UPDATE
	ErrnoAlreadyDone                       Errno = 2021 // ESLURM_ALREADY_DONE
	ErrnoInterconnectFailure               Errno = 2022 // ESLURM_INTERCONNECT_FAILURE
	ErrnoBadDist                           Errno = 2023 // ESLURM_BAD_DIST
	ErrnoJobPending                        Errno = 2024 // ESLURM_JOB_PENDING
	ErrnoBadTaskCount                      Errno = 2025 // ESLURM_BAD_TASK_COUNT
	ErrnoInvalidJobCredential              Errno = 2026 // ESLURM_INVALID_JOB_CREDENTIAL
	ErrnoInStandbyMode                     Errno = 2027 // ESLURM_IN_STANDBY_MODE
	ErrnoInvalidNodeState                  Errno = 2028 // ESLURM_INVALID_NODE_STATE
	ErrnoInvalidFeature                    Errno = 2029 // ESLURM_INVALID_FEATURE
	ErrnoInvalidAuthTypeChange             Errno = 2030 // ESLURM_INVALID_AUTHTYPE_CHANGE
	ErrnoActiveFeatureNotSubset            Errno = 2031 // ESLURM_ACTIVE_FEATURE_NOT_SUBSET
	ErrnoInvalidSchedTypeChange            Errno = 2032 // ESLURM_INVALID_SCHEDTYPE_CHANGE
	ErrnoInvalidSelectTypeChange           Errno = 2033 // ESLURM_INVALID_SELECTTYPE_CHANGE
	ErrnoInvalidSwitchTypeChange           Errno = 2034 // ESLURM_INVALID_SWITCHTYPE_CHANGE
	ErrnoFragmentation                     Errno = 2035 // ESLURM_FRAGMENTATION
	ErrnoNotSupported                      Errno = 2036 // ESLURM_NOT_SUPPORTED
	ErrnoDisabled                          Errno = 2037 // ESLURM_DISABLED
	ErrnoDependency                        Errno = 2038 // ESLURM_DEPENDENCY
	ErrnoBatchOnly                         Errno = 2039 // ESLURM_BATCH_ONLY
	ErrnoLicensesUnavailable               Errno = 2040 // ESLURM_LICENSES_UNAVAILABLE
	ErrnoTakeoverNoHeartbeat               Errno = 2041 // ESLURM_TAKEOVER_NO_HEARTBEAT
	ErrnoJobHeld                           Errno = 2042 // ESLURM_JOB_HELD
	ErrnoInvalidCredTypeChange             Errno = 2043 // ESLURM_INVALID_CRED_TYPE_CHANGE
	ErrnoInvalidTaskMemory                 Errno = 2044 // ESLURM_INVALID_TASK_MEMORY
	ErrnoInvalidAccount                    Errno = 2045 // ESLURM_INVALID_ACCOUNT
	ErrnoInvalidParentAccount              Errno = 2046 // ESLURM_INVALID_PARENT_ACCOUNT
	ErrnoSameParentAccount                 Errno = 2047 // ESLURM_SAME_PARENT_ACCOUNT
	ErrnoInvalidLicenses                   Errno = 2048 // ESLURM_INVALID_LICENSES
	ErrnoNeedRestart                       Errno = 2049 // ESLURM_NEED_RESTART
	ErrnoAccountingPolicy                  Errno = 2050 // ESLURM_ACCOUNTING_POLICY
	ErrnoInvalidTimeLimit                  Errno = 2051 // ESLURM_INVALID_TIME_LIMIT
	ErrnoReservationAccess                 Errno = 2052 // ESLURM_RESERVATION_ACCESS
	ErrnoReservationInvalid                Errno = 2053 // ESLURM_RESERVATION_INVALID
	ErrnoInvalidTime                       Errno = 2054 // ESLURM_INVALID_TIME_VALUE
	ErrnoReservationBusy                   Errno = 2055 // ESLURM_RESERVATION_BUSY
	ErrnoReservationNotUsable              Errno = 2056 // ESLURM_RESERVATION_NOT_USABLE
	ErrnoInvalidWCKey                      Errno = 2057 // ESLURM_INVALID_WCKEY
	ErrnoReservationOverlap                Errno = 2058 // ESLURM_RESERVATION_OVERLAP
	ErrnoPortsBusy                         Errno = 2059 // ESLURM_PORTS_BUSY
	ErrnoPortsInvalid                      Errno = 2060 // ESLURM_PORTS_INVALID
	ErrnoPrologRunning                     Errno = 2061 // ESLURM_PROLOG_RUNNING
	ErrnoNoSteps                           Errno = 2062 // ESLURM_NO_STEPS
	ErrnoMissingWorkDir                    Errno = 2063 // ESLURM_MISSING_WORK_DIR
	ErrnoStepsDrained                      Errno = 2064 // ESLURM_STEPS_DRAINED
	ErrnoInvalidQOS                        Errno = 2066 // ESLURM_INVALID_QOS
	ErrnoQOSPreemptionLoop                 Errno = 2067 // ESLURM_QOS_PREEMPTION_LOOP
	ErrnoNodeNotAvail                      Errno = 2068 // ESLURM_NODE_NOT_AVAIL
	ErrnoInvalidCPUCount                   Errno = 2069 // ESLURM_INVALID_CPU_COUNT
	ErrnoPartitionNotAvail                 Errno = 2070 // ESLURM_PARTITION_NOT_AVAIL
	ErrnoCircularDependency                Errno = 2071 // ESLURM_CIRCULAR_DEPENDENCY
	ErrnoInvalidGres                       Errno = 2072 // ESLURM_INVALID_GRES
	ErrnoNotPending                        Errno = 2073 // ESLURM_JOB_NOT_PENDING
	ErrnoQOSThreshold                      Errno = 2074 // ESLURM_QOS_THRES
	ErrnoPartitionInUse                    Errno = 2075 // ESLURM_PARTITION_IN_USE
	ErrnoStepLimit                         Errno = 2076 // ESLURM_STEP_LIMIT
	ErrnoJobSuspended                      Errno = 2077 // ESLURM_JOB_SUSPENDED
	ErrnoCanNotStartImmediately            Errno = 2078 // ESLURM_CAN_NOT_START_IMMEDIATELY
	ErrnoReservationEmpty                  Errno = 2080 // ESLURM_RESERVATION_EMPTY
	ErrnoInvalidArray                      Errno = 2081 // ESLURM_INVALID_ARRAY
	ErrnoReservationNameDup                Errno = 2082 // ESLURM_RESERVATION_NAME_DUP
	ErrnoJobStarted                        Errno = 2083 // ESLURM_JOB_STARTED
	ErrnoJobFinished                       Errno = 2084 // ESLURM_JOB_FINISHED
	ErrnoNotRunning                        Errno = 2085 // ESLURM_JOB_NOT_RUNNING
	ErrnoJobNotPendingNorRunning           Errno = 2086 // ESLURM_JOB_NOT_PENDING_NOR_RUNNING
	ErrnoJobNotSuspended                   Errno = 2087 // ESLURM_JOB_NOT_SUSPENDED
	ErrnoJobNotFinished                    Errno = 2088 // ESLURM_JOB_NOT_FINISHED
	ErrnoTriggerDup                        Errno = 2089 // ESLURM_TRIGGER_DUP
	ErrnoInternal                          Errno = 2090 // ESLURM_INTERNAL
	ErrnoInvalidBurstBufferChange          Errno = 2091 // ESLURM_INVALID_BURST_BUFFER_CHANGE
	ErrnoBurstBufferPermission             Errno = 2092 // ESLURM_BURST_BUFFER_PERMISSION
	ErrnoBurstBufferLimit                  Errno = 2093 // ESLURM_BURST_BUFFER_LIMIT
	ErrnoInvalidBurstBufferRequest         Errno = 2094 // ESLURM_INVALID_BURST_BUFFER_REQUEST
	ErrnoPrioResetFail                     Errno = 2095 // ESLURM_PRIO_RESET_FAIL
	ErrnoCannotModifyCronJob               Errno = 2096 // ESLURM_CANNOT_MODIFY_CRON_JOB
	ErrnoInvalidNamespaceChange            Errno = 2097 // ESLURM_INVALID_NAMESPACE_CHANGE
	ErrnoCannotCancelCronJob               Errno = 2098 // ESLURM_CANNOT_CANCEL_CRON_JOB
	ErrnoInvalidMCSLabel                   Errno = 2099 // ESLURM_INVALID_MCS_LABEL
	ErrnoBurstBufferWait                   Errno = 2100 // ESLURM_BURST_BUFFER_WAIT
	ErrnoPartitionDown                     Errno = 2101 // ESLURM_PARTITION_DOWN
	ErrnoDuplicateGres                     Errno = 2102 // ESLURM_DUPLICATE_GRES
	ErrnoReservationAlreadyStarted         Errno = 2104 // ESLURM_RSV_ALREADY_STARTED
	ErrnoSubmissionsDisabled               Errno = 2105 // ESLURM_SUBMISSIONS_DISABLED
	ErrnoNotHetJob                         Errno = 2106 // ESLURM_NOT_HET_JOB
	ErrnoNotHetJobLeader                   Errno = 2107 // ESLURM_NOT_HET_JOB_LEADER
	ErrnoNotWholeHetJob                    Errno = 2108 // ESLURM_NOT_WHOLE_HET_JOB
	ErrnoCoreReservationUpdate             Errno = 2109 // ESLURM_CORE_RESERVATION_UPDATE
	ErrnoDuplicateStepID                   Errno = 2110 // ESLURM_DUPLICATE_STEP_ID
	ErrnoInvalidCoreCount                  Errno = 2111 // ESLURM_INVALID_CORE_CNT
	ErrnoX11NotAvail                       Errno = 2112 // ESLURM_X11_NOT_AVAIL
	ErrnoGroupIDMissing                    Errno = 2113 // ESLURM_GROUP_ID_MISSING
	ErrnoBatchConstraint                   Errno = 2114 // ESLURM_BATCH_CONSTRAINT
	ErrnoInvalidTRES                       Errno = 2115 // ESLURM_INVALID_TRES
	ErrnoInvalidTRESBillingWeights         Errno = 2116 // ESLURM_INVALID_TRES_BILLING_WEIGHTS
	ErrnoInvalidJobDefaults                Errno = 2117 // ESLURM_INVALID_JOB_DEFAULTS
	ErrnoReservationMaint                  Errno = 2118 // ESLURM_RESERVATION_MAINT
	ErrnoInvalidGresType                   Errno = 2119 // ESLURM_INVALID_GRES_TYPE
	ErrnoRebootInProgress                  Errno = 2120 // ESLURM_REBOOT_IN_PROGRESS
	ErrnoMultiKNLConstraint                Errno = 2121 // ESLURM_MULTI_KNL_CONSTRAINT
	ErrnoUnsupportedGres                   Errno = 2122 // ESLURM_UNSUPPORTED_GRES
	ErrnoInvalidNice                       Errno = 2123 // ESLURM_INVALID_NICE
	ErrnoInvalidTimeMinLimit               Errno = 2124 // ESLURM_INVALID_TIME_MIN_LIMIT
	ErrnoDefer                             Errno = 2125 // ESLURM_DEFER
	ErrnoConfiglessDisabled                Errno = 2126 // ESLURM_CONFIGLESS_DISABLED
	ErrnoEnvironmentMissing                Errno = 2127 // ESLURM_ENVIRONMENT_MISSING
	ErrnoReservationNoSkip                 Errno = 2128 // ESLURM_RESERVATION_NO_SKIP
	ErrnoReservationUserGroup              Errno = 2129 // ESLURM_RESERVATION_USER_GROUP
	ErrnoPartitionAssoc                    Errno = 2130 // ESLURM_PARTITION_ASSOC
	ErrnoInStandbyUseBackup                Errno = 2131 // ESLURM_IN_STANDBY_USE_BACKUP
	ErrnoBadThreadPerCore                  Errno = 2132 // ESLURM_BAD_THREAD_PER_CORE
	ErrnoInvalidPrefer                     Errno = 2133 // ESLURM_INVALID_PREFER
	ErrnoInsufficientGres                  Errno = 2134 // ESLURM_INSUFFICIENT_GRES
	ErrnoInvalidContainerID                Errno = 2135 // ESLURM_INVALID_CONTAINER_ID
	ErrnoEmptyJobID                        Errno = 2136 // ESLURM_EMPTY_JOB_ID
	ErrnoInvalidJobIDZero                  Errno = 2137 // ESLURM_INVALID_JOB_ID_ZERO
	ErrnoInvalidJobIDNegative              Errno = 2138 // ESLURM_INVALID_JOB_ID_NEGATIVE
	ErrnoInvalidJobIDTooLarge              Errno = 2139 // ESLURM_INVALID_JOB_ID_TOO_LARGE
	ErrnoInvalidJobIDNonNumeric            Errno = 2140 // ESLURM_INVALID_JOB_ID_NON_NUMERIC
	ErrnoEmptyJobArrayID                   Errno = 2141 // ESLURM_EMPTY_JOB_ARRAY_ID
	ErrnoInvalidJobArrayIDNegative         Errno = 2142 // ESLURM_INVALID_JOB_ARRAY_ID_NEGATIVE
	ErrnoInvalidJobArrayIDTooLarge         Errno = 2143 // ESLURM_INVALID_JOB_ARRAY_ID_TOO_LARGE
	ErrnoInvalidJobArrayIDNonNumeric       Errno = 2144 // ESLURM_INVALID_JOB_ARRAY_ID_NON_NUMERIC
	ErrnoEmptyHetJobComp                   Errno = 2146 // ESLURM_EMPTY_HET_JOB_COMP
	ErrnoInvalidHetJobCompNegative         Errno = 2147 // ESLURM_INVALID_HET_JOB_COMP_NEGATIVE
	ErrnoInvalidHetJobCompTooLarge         Errno = 2148 // ESLURM_INVALID_HET_JOB_COMP_TOO_LARGE
	ErrnoEmptyStepID                       Errno = 2150 // ESLURM_EMPTY_STEP_ID
	ErrnoInvalidStepIDNegative             Errno = 2151 // ESLURM_INVALID_STEP_ID_NEGATIVE
	ErrnoInvalidStepIDTooLarge             Errno = 2152 // ESLURM_INVALID_STEP_ID_TOO_LARGE
	ErrnoInvalidStepIDNonNumeric           Errno = 2153 // ESLURM_INVALID_STEP_ID_NON_NUMERIC
	ErrnoEmptyHetStep                      Errno = 2154 // ESLURM_EMPTY_HET_STEP
	ErrnoInvalidHetStepZero                Errno = 2155 // ESLURM_INVALID_HET_STEP_ZERO
	ErrnoInvalidHetStepNegative            Errno = 2156 // ESLURM_INVALID_HET_STEP_NEGATIVE
	ErrnoInvalidHetStepTooLarge            Errno = 2157 // ESLURM_INVALID_HET_STEP_TOO_LARGE
	ErrnoInvalidHetStepNonNumeric          Errno = 2158 // ESLURM_INVALID_HET_STEP_NON_NUMERIC
	ErrnoInvalidHetStepJob                 Errno = 2159 // ESLURM_INVALID_HET_STEP_JOB
	ErrnoJobTimeoutKilled                  Errno = 2160 // ESLURM_JOB_TIMEOUT_KILLED
	ErrnoJobNodeFailKilled                 Errno = 2161 // ESLURM_JOB_NODE_FAIL_KILLED
	ErrnoEmptyList                         Errno = 2162 // ESLURM_EMPTY_LIST
	ErrnoGroupIDInvalid                    Errno = 2163 // ESLURM_GROUP_ID_INVALID
	ErrnoGroupIDUnknown                    Errno = 2164 // ESLURM_GROUP_ID_UNKNOWN
	ErrnoUserIDInvalid                     Errno = 2165 // ESLURM_USER_ID_INVALID
	ErrnoUserIDUnknown                     Errno = 2166 // ESLURM_USER_ID_UNKNOWN
	ErrnoInvalidAssoc                      Errno = 2167 // ESLURM_INVALID_ASSOC
	ErrnoNodeAlreadyExists                 Errno = 2168 // ESLURM_NODE_ALREADY_EXISTS
	ErrnoNodeTableFull                     Errno = 2169 // ESLURM_NODE_TABLE_FULL
	ErrnoInvalidRelativeQOS                Errno = 2170 // ESLURM_INVALID_RELATIVE_QOS
	ErrnoInvalidExtra                      Errno = 2171 // ESLURM_INVALID_EXTRA
	ErrnoJobSignalFailed                   Errno = 2172 // ESLURM_JOB_SIGNAL_FAILED
	ErrnoSignalJobsInvalid                 Errno = 2173 // ESLURM_SIGNAL_JOBS_INVALID
	ErrnoResCoresPerGPUUnique              Errno = 2174 // ESLURM_RES_CORES_PER_GPU_UNIQUE
	ErrnoResCoresPerGPUTopo                Errno = 2175 // ESLURM_RES_CORES_PER_GPU_TOPO
	ErrnoResCoresPerGPUNo                  Errno = 2176 // ESLURM_RES_CORES_PER_GPU_NO
	ErrnoMaxPoweredNodes                   Errno = 2177 // ESLURM_MAX_POWERED_NODES
	ErrnoRequestedTopoConfigUnavailable    Errno = 2178 // ESLURM_REQUESTED_TOPO_CONFIG_UNAVAILABLE
	ErrnoPreemptionRequired                Errno = 2179 // ESLURM_PREEMPTION_REQUIRED
	ErrnoInvalidNodeStateTransition        Errno = 2180 // ESLURM_INVALID_NODE_STATE_TRANSITION
	ErrnoInvalidJobState                   Errno = 2181 // ESLURM_INVALID_JOB_STATE
	ErrnoInvalidSLUID                      Errno = 2185 // ESLURM_INVALID_SLUID
	ErrnoExternOnly                        Errno = 2186 // ESLURM_EXTERN_ONLY
	ErrnoInvalidPowerAction                Errno = 2187 // ESLURM_INVALID_POWER_ACTION
	ErrnoStepQueued                        Errno = 2188 // ESLURM_STEP_QUEUED
	ErrnoInvalidExternalJob                Errno = 2189 // ESLURM_INVALID_EXTERNAL_JOB
	ErrnoFileUnreadable                    Errno = 2190 // ESLURM_FILE_UNREADABLE
	ErrnoNodeKillTaskFailed                Errno = 4001 // ESLURMD_KILL_TASK_FAILED
	ErrnoNodeInvalidAcctFreq               Errno = 4003 // ESLURMD_INVALID_ACCT_FREQ
	ErrnoNodeInvalidJobCredential          Errno = 4004 // ESLURMD_INVALID_JOB_CREDENTIAL
	ErrnoNodeCredentialExpired             Errno = 4007 // ESLURMD_CREDENTIAL_EXPIRED
	ErrnoNodeCredentialRevoked             Errno = 4008 // ESLURMD_CREDENTIAL_REVOKED
	ErrnoNodeCredentialReplayed            Errno = 4009 // ESLURMD_CREDENTIAL_REPLAYED
	ErrnoNodeCreateBatchDirError           Errno = 4010 // ESLURMD_CREATE_BATCH_DIR_ERROR
	ErrnoNodeSetupEnvironmentError         Errno = 4014 // ESLURMD_SETUP_ENVIRONMENT_ERROR
	ErrnoNodeSetUIDOrGIDError              Errno = 4016 // ESLURMD_SET_UID_OR_GID_ERROR
	ErrnoNodeExecveFailed                  Errno = 4020 // ESLURMD_EXECVE_FAILED
	ErrnoNodeIOError                       Errno = 4021 // ESLURMD_IO_ERROR
	ErrnoNodePrologFailed                  Errno = 4022 // ESLURMD_PROLOG_FAILED
	ErrnoNodeEpilogFailed                  Errno = 4023 // ESLURMD_EPILOG_FAILED
	ErrnoNodeTooManySteps                  Errno = 4025 // ESLURMD_TOOMANYSTEPS
	ErrnoNodeStepExists                    Errno = 4026 // ESLURMD_STEP_EXISTS
	ErrnoNodeStepNotRunning                Errno = 4027 // ESLURMD_STEP_NOTRUNNING
	ErrnoNodeStepSuspended                 Errno = 4028 // ESLURMD_STEP_SUSPENDED
	ErrnoNodeStepNotSuspended              Errno = 4029 // ESLURMD_STEP_NOTSUSPENDED
	ErrnoNodeInvalidSocketNameLen          Errno = 4030 // ESLURMD_INVALID_SOCKET_NAME_LEN
	ErrnoNodeContainerRuntimeInvalid       Errno = 4031 // ESLURMD_CONTAINER_RUNTIME_INVALID
	ErrnoNodeCPUBindError                  Errno = 4032 // ESLURMD_CPU_BIND_ERROR
	ErrnoNodeCPULayoutError                Errno = 4033 // ESLURMD_CPU_LAYOUT_ERROR
	ErrnoNodeStepdProxyFailed              Errno = 4035 // ESLURMD_STEPD_PROXY_FAILED
	ErrnoProtocolSocketImplTimeout         Errno = 5004 // SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT
	ErrnoAuthCredInvalid                   Errno = 6000 // ESLURM_AUTH_CRED_INVALID
	ErrnoDBConnection                      Errno = 7000 // ESLURM_DB_CONNECTION
	ErrnoJobsRunningOnAssoc                Errno = 7001 // ESLURM_JOBS_RUNNING_ON_ASSOC
	ErrnoDBQueryTooWide                    Errno = 7007 // ESLURM_DB_QUERY_TOO_WIDE
	ErrnoDBConnectionInvalid               Errno = 7008 // ESLURM_DB_CONNECTION_INVALID
	ErrnoMissingTimeLimit                  Errno = 8000 // ESLURM_MISSING_TIME_LIMIT
)

// errnoTable gives every number its Slurm name and its text.
var errnoTable = []struct {
	code Errno
	name string
	text string
}{
	{ErrnoUnexpectedMsg, "SLURM_UNEXPECTED_MSG_ERROR", "Unexpected message received"},
	{ErrnoProtocolAuthentication, "SLURM_PROTOCOL_AUTHENTICATION_ERROR", "Protocol authentication error"},
	{ErrnoCtldCommunicationsConnectionError, "SLURMCTLD_COMMUNICATIONS_CONNECTION_ERROR", "Unable to contact slurm controller (connect failure)"},
	{ErrnoCtldCommunicationsSendError, "SLURMCTLD_COMMUNICATIONS_SEND_ERROR", "Unable to contact slurm controller (send failure)"},
	{ErrnoCtldCommunicationsReceiveError, "SLURMCTLD_COMMUNICATIONS_RECEIVE_ERROR", "Unable to contact slurm controller (receive failure)"},
	{ErrnoCtldCommunicationsShutdownError, "SLURMCTLD_COMMUNICATIONS_SHUTDOWN_ERROR", "Unable to contact slurm controller (shutdown failure)"},
	{ErrnoCtldCommunicationsBackoff, "SLURMCTLD_COMMUNICATIONS_BACKOFF", "Rate limit exceeded, please retry momentarily"},
	{ErrnoCtldCommunicationsHardDrop, "SLURMCTLD_COMMUNICATIONS_HARD_DROP", "Rate limit exceeded, please retry later"},
	{ErrnoInvalidPartition, "ESLURM_INVALID_PARTITION_NAME", "Invalid partition name specified"},
	{ErrnoDefaultPartitionNotSet, "ESLURM_DEFAULT_PARTITION_NOT_SET", "No partition specified or system default partition"},
	{ErrnoAccessDenied, "ESLURM_ACCESS_DENIED", "Access/permission denied"},
	{ErrnoJobMissingRequiredPartitionGroup, "ESLURM_JOB_MISSING_REQUIRED_PARTITION_GROUP", "User's group not permitted to use this partition"},
	{ErrnoRequestedNodesNotInPartition, "ESLURM_REQUESTED_NODES_NOT_IN_PARTITION", "Requested nodes not in this partition"},
	{ErrnoTooManyRequestedCPUs, "ESLURM_TOO_MANY_REQUESTED_CPUS", "More processors requested than permitted"},
	{ErrnoInvalidNodeCount, "ESLURM_INVALID_NODE_COUNT", "Node count specification invalid"},
	{ErrnoMaxJobCount, "ESLURM_MAX_JOB_COUNT", "MaxJobCount limit reached"},
	{ErrnoJobMissingSizeSpecification, "ESLURM_JOB_MISSING_SIZE_SPECIFICATION", "Job size specification needs to be provided"},
	{ErrnoJobScriptMissing, "ESLURM_JOB_SCRIPT_MISSING", "Job script not specified"},
	{ErrnoUserIDMissing, "ESLURM_USER_ID_MISSING", "Invalid user id"},
	{ErrnoDuplicateJobID, "ESLURM_DUPLICATE_JOB_ID", "Duplicate job id"},
	{ErrnoPathnameTooLong, "ESLURM_PATHNAME_TOO_LONG", "Pathname of a file, directory or other parameter too long"},
	{ErrnoNotTopPriority, "ESLURM_NOT_TOP_PRIORITY", "Immediate execution impossible, insufficient priority"},
	{ErrnoRequestedNodeConfigUnavailable, "ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE", "Requested node configuration is not available"},
	{ErrnoRequestedPartConfigUnavailable, "ESLURM_REQUESTED_PART_CONFIG_UNAVAILABLE", "Requested partition configuration not available now"},
	{ErrnoNodesBusy, "ESLURM_NODES_BUSY", "Requested nodes are busy"},
	{ErrnoInvalidJobID, "ESLURM_INVALID_JOB_ID", "Invalid job id specified"},
	{ErrnoInvalidNodeName, "ESLURM_INVALID_NODE_NAME", "Invalid node name specified"},
	{ErrnoWritingToFile, "ESLURM_WRITING_TO_FILE", "I/O error writing script/environment to file"},
	{ErrnoTransitionStateNoUpdate, "ESLURM_TRANSITION_STATE_NO_UPDATE", "Job can not be altered now, try again later"},
	{ErrnoAlreadyDone, "ESLURM_ALREADY_DONE", "Job/step already completing or completed"},
	{ErrnoInterconnectFailure, "ESLURM_INTERCONNECT_FAILURE", "Error configuring interconnect"},
	{ErrnoBadDist, "ESLURM_BAD_DIST", "Task distribution specification invalid"},
	{ErrnoJobPending, "ESLURM_JOB_PENDING", "Job is pending execution"},
	{ErrnoBadTaskCount, "ESLURM_BAD_TASK_COUNT", "Task count specification invalid"},
	{ErrnoInvalidJobCredential, "ESLURM_INVALID_JOB_CREDENTIAL", "Error generating job credential"},
	{ErrnoInStandbyMode, "ESLURM_IN_STANDBY_MODE", "Slurm backup controller in standby mode"},
	{ErrnoInvalidNodeState, "ESLURM_INVALID_NODE_STATE", "Invalid node state specified"},
	{ErrnoInvalidFeature, "ESLURM_INVALID_FEATURE", "Invalid feature specification"},
	{ErrnoInvalidAuthTypeChange, "ESLURM_INVALID_AUTHTYPE_CHANGE", "AuthType change requires restart of all Slurm daemons and commands to take effect"},
	{ErrnoActiveFeatureNotSubset, "ESLURM_ACTIVE_FEATURE_NOT_SUBSET", "Active features not subset of available features"},
	{ErrnoInvalidSchedTypeChange, "ESLURM_INVALID_SCHEDTYPE_CHANGE", "SchedulerType change requires restart of the slurmctld daemon to take effect"},
	{ErrnoInvalidSelectTypeChange, "ESLURM_INVALID_SELECTTYPE_CHANGE", "SelectType change requires restart of the slurmctld daemon to take effect"},
	{ErrnoInvalidSwitchTypeChange, "ESLURM_INVALID_SWITCHTYPE_CHANGE", "SwitchType change requires restart of all Slurm daemons and jobs to take effect"},
	{ErrnoFragmentation, "ESLURM_FRAGMENTATION", "Immediate execution impossible, resources too fragmented for allocation"},
	{ErrnoNotSupported, "ESLURM_NOT_SUPPORTED", "Requested operation not supported on this system"},
	{ErrnoDisabled, "ESLURM_DISABLED", "Requested operation is presently disabled"},
	{ErrnoDependency, "ESLURM_DEPENDENCY", "Job dependency problem"},
	{ErrnoBatchOnly, "ESLURM_BATCH_ONLY", "Only batch jobs are accepted or processed"},
	{ErrnoLicensesUnavailable, "ESLURM_LICENSES_UNAVAILABLE", "Licenses currently unavailable"},
	{ErrnoTakeoverNoHeartbeat, "ESLURM_TAKEOVER_NO_HEARTBEAT", "Unable to takeover, heartbeat file is missing"},
	{ErrnoJobHeld, "ESLURM_JOB_HELD", "Job is in held state, pending scheduler release"},
	{ErrnoInvalidCredTypeChange, "ESLURM_INVALID_CRED_TYPE_CHANGE", "CredType change requires restart of all Slurm daemons to take effect"},
	{ErrnoInvalidTaskMemory, "ESLURM_INVALID_TASK_MEMORY", "Memory required by task is not available"},
	{ErrnoInvalidAccount, "ESLURM_INVALID_ACCOUNT", "Invalid account or account/partition combination specified"},
	{ErrnoInvalidParentAccount, "ESLURM_INVALID_PARENT_ACCOUNT", "Invalid parent account specified"},
	{ErrnoSameParentAccount, "ESLURM_SAME_PARENT_ACCOUNT", "Account already child of parent account specified"},
	{ErrnoInvalidLicenses, "ESLURM_INVALID_LICENSES", "Invalid license specification"},
	{ErrnoNeedRestart, "ESLURM_NEED_RESTART", "The node configuration changes that were made require restart of the slurmctld daemon to take effect"},
	{ErrnoAccountingPolicy, "ESLURM_ACCOUNTING_POLICY", "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"},
	{ErrnoInvalidTimeLimit, "ESLURM_INVALID_TIME_LIMIT", "Requested time limit is invalid (missing or exceeds some limit)"},
	{ErrnoReservationAccess, "ESLURM_RESERVATION_ACCESS", "Access denied to requested reservation"},
	{ErrnoReservationInvalid, "ESLURM_RESERVATION_INVALID", "Requested reservation is invalid"},
	{ErrnoInvalidTime, "ESLURM_INVALID_TIME_VALUE", "Invalid time specified"},
	{ErrnoReservationBusy, "ESLURM_RESERVATION_BUSY", "Requested reservation is in use"},
	{ErrnoReservationNotUsable, "ESLURM_RESERVATION_NOT_USABLE", "Requested reservation not usable now"},
	{ErrnoInvalidWCKey, "ESLURM_INVALID_WCKEY", "Invalid wckey specification"},
	{ErrnoReservationOverlap, "ESLURM_RESERVATION_OVERLAP", "Requested reservation overlaps with another reservation"},
	{ErrnoPortsBusy, "ESLURM_PORTS_BUSY", "Required ports are in use"},
	{ErrnoPortsInvalid, "ESLURM_PORTS_INVALID", "Requires more ports than can be reserved"},
	{ErrnoPrologRunning, "ESLURM_PROLOG_RUNNING", "PrologSlurmctld is still running"},
	{ErrnoNoSteps, "ESLURM_NO_STEPS", "Job steps can not be run on this cluster"},
	{ErrnoMissingWorkDir, "ESLURM_MISSING_WORK_DIR", "Job cannot be submitted without the current working directory specified."},
	{ErrnoStepsDrained, "ESLURM_STEPS_DRAINED", "No running or pending steps in the job"},
	{ErrnoInvalidQOS, "ESLURM_INVALID_QOS", "Invalid qos specification"},
	{ErrnoQOSPreemptionLoop, "ESLURM_QOS_PREEMPTION_LOOP", "QOS Preemption loop detected"},
	{ErrnoNodeNotAvail, "ESLURM_NODE_NOT_AVAIL", "Required node not available (down, drained or reserved)"},
	{ErrnoInvalidCPUCount, "ESLURM_INVALID_CPU_COUNT", "CPU count specification invalid"},
	{ErrnoPartitionNotAvail, "ESLURM_PARTITION_NOT_AVAIL", "Required partition not available (inactive or drain)"},
	{ErrnoCircularDependency, "ESLURM_CIRCULAR_DEPENDENCY", "Circular job dependency"},
	{ErrnoInvalidGres, "ESLURM_INVALID_GRES", "Invalid generic resource (gres) specification"},
	{ErrnoNotPending, "ESLURM_JOB_NOT_PENDING", "Job is no longer pending execution"},
	{ErrnoQOSThreshold, "ESLURM_QOS_THRES", "Requested account has breached requested QOS usage threshold"},
	{ErrnoPartitionInUse, "ESLURM_PARTITION_IN_USE", "Partition is in use"},
	{ErrnoStepLimit, "ESLURM_STEP_LIMIT", "Step limit reached for this job"},
	{ErrnoJobSuspended, "ESLURM_JOB_SUSPENDED", "Job is current suspended, requested operation disabled"},
	{ErrnoCanNotStartImmediately, "ESLURM_CAN_NOT_START_IMMEDIATELY", "Job can not start immediately"},
	{ErrnoReservationEmpty, "ESLURM_RESERVATION_EMPTY", "Reservation request lacks users, groups or accounts"},
	{ErrnoInvalidArray, "ESLURM_INVALID_ARRAY", "Invalid job array specification"},
	{ErrnoReservationNameDup, "ESLURM_RESERVATION_NAME_DUP", "Duplicate reservation name"},
	{ErrnoJobStarted, "ESLURM_JOB_STARTED", "Job has already started"},
	{ErrnoJobFinished, "ESLURM_JOB_FINISHED", "Job has already finished"},
	{ErrnoNotRunning, "ESLURM_JOB_NOT_RUNNING", "Job is not running"},
	{ErrnoJobNotPendingNorRunning, "ESLURM_JOB_NOT_PENDING_NOR_RUNNING", "Job is not pending nor running"},
	{ErrnoJobNotSuspended, "ESLURM_JOB_NOT_SUSPENDED", "Job is not suspended"},
	{ErrnoJobNotFinished, "ESLURM_JOB_NOT_FINISHED", "Job is not finished"},
	{ErrnoTriggerDup, "ESLURM_TRIGGER_DUP", "Duplicate event trigger"},
	{ErrnoInternal, "ESLURM_INTERNAL", "Slurm internal error, contact system administrator"},
	{ErrnoInvalidBurstBufferChange, "ESLURM_INVALID_BURST_BUFFER_CHANGE", "BurstBufferType change requires restart of slurmctld daemon to take effect"},
	{ErrnoBurstBufferPermission, "ESLURM_BURST_BUFFER_PERMISSION", "Burst Buffer permission denied"},
	{ErrnoBurstBufferLimit, "ESLURM_BURST_BUFFER_LIMIT", "Burst Buffer resource limit exceeded"},
	{ErrnoInvalidBurstBufferRequest, "ESLURM_INVALID_BURST_BUFFER_REQUEST", "Burst Buffer request invalid"},
	{ErrnoPrioResetFail, "ESLURM_PRIO_RESET_FAIL", "Changes to job priority are not persistent, change nice instead"},
	{ErrnoCannotModifyCronJob, "ESLURM_CANNOT_MODIFY_CRON_JOB", "Cannot modify scrontab jobs through scontrol"},
	{ErrnoInvalidNamespaceChange, "ESLURM_INVALID_NAMESPACE_CHANGE", "NamespaceType change requires restart of all Slurm daemons and commands to take effect"},
	{ErrnoCannotCancelCronJob, "ESLURM_CANNOT_CANCEL_CRON_JOB", "Cannot cancel scrontab jobs without --cron flag."},
	{ErrnoInvalidMCSLabel, "ESLURM_INVALID_MCS_LABEL", "Invalid mcs_label specified"},
	{ErrnoBurstBufferWait, "ESLURM_BURST_BUFFER_WAIT", "Waiting for burst buffer"},
	{ErrnoPartitionDown, "ESLURM_PARTITION_DOWN", "Partition in DOWN state"},
	{ErrnoDuplicateGres, "ESLURM_DUPLICATE_GRES", "Duplicate generic resource (gres) specification"},
	{ErrnoReservationAlreadyStarted, "ESLURM_RSV_ALREADY_STARTED", "Reservation already started"},
	{ErrnoSubmissionsDisabled, "ESLURM_SUBMISSIONS_DISABLED", "System submissions disabled"},
	{ErrnoNotHetJob, "ESLURM_NOT_HET_JOB", "Job not heterogeneous job"},
	{ErrnoNotHetJobLeader, "ESLURM_NOT_HET_JOB_LEADER", "Job not heterogeneous job leader"},
	{ErrnoNotWholeHetJob, "ESLURM_NOT_WHOLE_HET_JOB", "Operation not permitted on individual component of heterogeneous job"},
	{ErrnoCoreReservationUpdate, "ESLURM_CORE_RESERVATION_UPDATE", "Core-based reservation can not be updated"},
	{ErrnoDuplicateStepID, "ESLURM_DUPLICATE_STEP_ID", "Duplicate job step id"},
	{ErrnoInvalidCoreCount, "ESLURM_INVALID_CORE_CNT", "Core count for reservation node list is not consistent!"},
	{ErrnoX11NotAvail, "ESLURM_X11_NOT_AVAIL", "X11 forwarding not available"},
	{ErrnoGroupIDMissing, "ESLURM_GROUP_ID_MISSING", "Invalid group id"},
	{ErrnoBatchConstraint, "ESLURM_BATCH_CONSTRAINT", "Job --batch option is invalid or not a subset of --constraint"},
	{ErrnoInvalidTRES, "ESLURM_INVALID_TRES", "Invalid Trackable RESource (TRES) specification"},
	{ErrnoInvalidTRESBillingWeights, "ESLURM_INVALID_TRES_BILLING_WEIGHTS", "Invalid TRESBillingWeights specification"},
	{ErrnoInvalidJobDefaults, "ESLURM_INVALID_JOB_DEFAULTS", "Invalid JobDefaults specification"},
	{ErrnoReservationMaint, "ESLURM_RESERVATION_MAINT", "Job can not start due to maintenance reservation."},
	{ErrnoInvalidGresType, "ESLURM_INVALID_GRES_TYPE", "Invalid GRES specification (with and without type identification)"},
	{ErrnoRebootInProgress, "ESLURM_REBOOT_IN_PROGRESS", "Reboot already in progress"},
	{ErrnoMultiKNLConstraint, "ESLURM_MULTI_KNL_CONSTRAINT", "Multiple KNL NUMA and/or MCDRAM constraints require use of a heterogeneous job"},
	{ErrnoUnsupportedGres, "ESLURM_UNSUPPORTED_GRES", "Requested GRES option unsupported by configured SelectType plugin"},
	{ErrnoInvalidNice, "ESLURM_INVALID_NICE", "Invalid --nice value"},
	{ErrnoInvalidTimeMinLimit, "ESLURM_INVALID_TIME_MIN_LIMIT", "Invalid time-min specification (exceeds job's time or other limits)"},
	{ErrnoDefer, "ESLURM_DEFER", "Immediate execution impossible. Individual job submission scheduling attempts deferred"},
	{ErrnoConfiglessDisabled, "ESLURM_CONFIGLESS_DISABLED", "ConfigLess mode is disabled in slurm configuration."},
	{ErrnoEnvironmentMissing, "ESLURM_ENVIRONMENT_MISSING", "Environment is missing in job"},
	{ErrnoReservationNoSkip, "ESLURM_RESERVATION_NO_SKIP", "Reservation given is not skipable, try deleting instead"},
	{ErrnoReservationUserGroup, "ESLURM_RESERVATION_USER_GROUP", "Reservations can't have users and groups specified, only one or the other"},
	{ErrnoPartitionAssoc, "ESLURM_PARTITION_ASSOC", "Multiple partition job request not supported when a partition is set in the association"},
	{ErrnoInStandbyUseBackup, "ESLURM_IN_STANDBY_USE_BACKUP", "Controller is in standby mode, try a different controller"},
	{ErrnoBadThreadPerCore, "ESLURM_BAD_THREAD_PER_CORE", "Cannot request more threads per core than the job allocation"},
	{ErrnoInvalidPrefer, "ESLURM_INVALID_PREFER", "Invalid preferred feature specification"},
	{ErrnoInsufficientGres, "ESLURM_INSUFFICIENT_GRES", "Insufficient GRES available in allocation"},
	{ErrnoInvalidContainerID, "ESLURM_INVALID_CONTAINER_ID", "Invalid container id specified"},
	{ErrnoEmptyJobID, "ESLURM_EMPTY_JOB_ID", "JobID must not be an empty string"},
	{ErrnoInvalidJobIDZero, "ESLURM_INVALID_JOB_ID_ZERO", "JobID can not be zero"},
	{ErrnoInvalidJobIDNegative, "ESLURM_INVALID_JOB_ID_NEGATIVE", "JobID can not be a negative number"},
	{ErrnoInvalidJobIDTooLarge, "ESLURM_INVALID_JOB_ID_TOO_LARGE", "JobID larger than acceptable range"},
	{ErrnoInvalidJobIDNonNumeric, "ESLURM_INVALID_JOB_ID_NON_NUMERIC", "JobID includes unexpected non-numeric characters"},
	{ErrnoEmptyJobArrayID, "ESLURM_EMPTY_JOB_ARRAY_ID", "Job Array ID must not be an empty string"},
	{ErrnoInvalidJobArrayIDNegative, "ESLURM_INVALID_JOB_ARRAY_ID_NEGATIVE", "Job Array ID can not be a negative number"},
	{ErrnoInvalidJobArrayIDTooLarge, "ESLURM_INVALID_JOB_ARRAY_ID_TOO_LARGE", "Job Array ID larger than acceptable range"},
	{ErrnoInvalidJobArrayIDNonNumeric, "ESLURM_INVALID_JOB_ARRAY_ID_NON_NUMERIC", "Job Array ID includes unexpected non-numeric characters"},
	{ErrnoEmptyHetJobComp, "ESLURM_EMPTY_HET_JOB_COMP", "HetJob component must not be an empty string"},
	{ErrnoInvalidHetJobCompNegative, "ESLURM_INVALID_HET_JOB_COMP_NEGATIVE", "HetJob component can not be a negative number"},
	{ErrnoInvalidHetJobCompTooLarge, "ESLURM_INVALID_HET_JOB_COMP_TOO_LARGE", "HetJob component larger than acceptable range"},
	{ErrnoEmptyStepID, "ESLURM_EMPTY_STEP_ID", "StepID must not be an empty string"},
	{ErrnoInvalidStepIDNegative, "ESLURM_INVALID_STEP_ID_NEGATIVE", "StepID can not be a negative number"},
	{ErrnoInvalidStepIDTooLarge, "ESLURM_INVALID_STEP_ID_TOO_LARGE", "StepID larger than acceptable range"},
	{ErrnoInvalidStepIDNonNumeric, "ESLURM_INVALID_STEP_ID_NON_NUMERIC", "StepID includes unexpected non-numeric characters"},
	{ErrnoEmptyHetStep, "ESLURM_EMPTY_HET_STEP", "HetStep component must not be an empty string"},
	{ErrnoInvalidHetStepZero, "ESLURM_INVALID_HET_STEP_ZERO", "HetStep component can not be zero"},
	{ErrnoInvalidHetStepNegative, "ESLURM_INVALID_HET_STEP_NEGATIVE", "HetStep component can not be a negative number"},
	{ErrnoInvalidHetStepTooLarge, "ESLURM_INVALID_HET_STEP_TOO_LARGE", "HetStep component larger than acceptable range"},
	{ErrnoInvalidHetStepNonNumeric, "ESLURM_INVALID_HET_STEP_NON_NUMERIC", "HetStep component includes unexpected non-numeric characters"},
	{ErrnoInvalidHetStepJob, "ESLURM_INVALID_HET_STEP_JOB", "HetJob can not Het step id"},
	{ErrnoJobTimeoutKilled, "ESLURM_JOB_TIMEOUT_KILLED", "Job killed due hitting max wall clock limit"},
	{ErrnoJobNodeFailKilled, "ESLURM_JOB_NODE_FAIL_KILLED", "Job killed due node failure"},
	{ErrnoEmptyList, "ESLURM_EMPTY_LIST", "Empty list"},
	{ErrnoGroupIDInvalid, "ESLURM_GROUP_ID_INVALID", "Invalid group ID"},
	{ErrnoGroupIDUnknown, "ESLURM_GROUP_ID_UNKNOWN", "Unable to resolve group ID to group name"},
	{ErrnoUserIDInvalid, "ESLURM_USER_ID_INVALID", "Invalid user ID"},
	{ErrnoUserIDUnknown, "ESLURM_USER_ID_UNKNOWN", "Unable to resolve user ID to user name"},
	{ErrnoInvalidAssoc, "ESLURM_INVALID_ASSOC", "Invalid or unknown association"},
	{ErrnoNodeAlreadyExists, "ESLURM_NODE_ALREADY_EXISTS", "Node already exists in the node table"},
	{ErrnoNodeTableFull, "ESLURM_NODE_TABLE_FULL", "Unable to add node, node table is full"},
	{ErrnoInvalidRelativeQOS, "ESLURM_INVALID_RELATIVE_QOS", "Invalid QOS specification, relative QOS can only be used in a single partition per cluster."},
	{ErrnoInvalidExtra, "ESLURM_INVALID_EXTRA", "Invalid extra constraints specification"},
	{ErrnoJobSignalFailed, "ESLURM_JOB_SIGNAL_FAILED", "Cannot signal job"},
	{ErrnoSignalJobsInvalid, "ESLURM_SIGNAL_JOBS_INVALID", "Invalid signal jobs request, at least one job id or filter is required."},
	{ErrnoResCoresPerGPUUnique, "ESLURM_RES_CORES_PER_GPU_UNIQUE", "RestrictedCoresPerGPU: Not enough unique cores per GPU"},
	{ErrnoResCoresPerGPUTopo, "ESLURM_RES_CORES_PER_GPU_TOPO", "RestrictedCoresPerGPU: Missing core topology for GPUs"},
	{ErrnoResCoresPerGPUNo, "ESLURM_RES_CORES_PER_GPU_NO", "RestrictedCoresPerGPU: No GPUs configured on node"},
	{ErrnoMaxPoweredNodes, "ESLURM_MAX_POWERED_NODES", "Max powered up nodes reached"},
	{ErrnoRequestedTopoConfigUnavailable, "ESLURM_REQUESTED_TOPO_CONFIG_UNAVAILABLE", "Requested topology configuration is not available"},
	{ErrnoPreemptionRequired, "ESLURM_PREEMPTION_REQUIRED", "Preemption is required but is disabled on this system"},
	{ErrnoInvalidNodeStateTransition, "ESLURM_INVALID_NODE_STATE_TRANSITION", "Invalid node state transition"},
	{ErrnoInvalidJobState, "ESLURM_INVALID_JOB_STATE", "Invalid job state"},
	{ErrnoInvalidSLUID, "ESLURM_INVALID_SLUID", "SLUID is invalid"},
	{ErrnoExternOnly, "ESLURM_EXTERN_ONLY", "Requested operation requires extern step"},
	{ErrnoInvalidPowerAction, "ESLURM_INVALID_POWER_ACTION", "Invalid power action"},
	{ErrnoStepQueued, "ESLURM_STEP_QUEUED", "Step queued as pending"},
	{ErrnoInvalidExternalJob, "ESLURM_INVALID_EXTERNAL_JOB", "Invalid configuration for external job"},
	{ErrnoFileUnreadable, "ESLURM_FILE_UNREADABLE", "Unable to load file for reading"},
	{ErrnoNodeKillTaskFailed, "ESLURMD_KILL_TASK_FAILED", "Kill task failed"},
	{ErrnoNodeInvalidAcctFreq, "ESLURMD_INVALID_ACCT_FREQ", "Invalid accounting frequency requested"},
	{ErrnoNodeInvalidJobCredential, "ESLURMD_INVALID_JOB_CREDENTIAL", "Invalid job credential"},
	{ErrnoNodeCredentialExpired, "ESLURMD_CREDENTIAL_EXPIRED", "Job credential expired"},
	{ErrnoNodeCredentialRevoked, "ESLURMD_CREDENTIAL_REVOKED", "Job credential revoked"},
	{ErrnoNodeCredentialReplayed, "ESLURMD_CREDENTIAL_REPLAYED", "Job credential replayed"},
	{ErrnoNodeCreateBatchDirError, "ESLURMD_CREATE_BATCH_DIR_ERROR", "Slurmd could not create a batch directory or file"},
	{ErrnoNodeSetupEnvironmentError, "ESLURMD_SETUP_ENVIRONMENT_ERROR", "Slurmd could not set up environment for batch job"},
	{ErrnoNodeSetUIDOrGIDError, "ESLURMD_SET_UID_OR_GID_ERROR", "Slurmd could not set UID or GID"},
	{ErrnoNodeExecveFailed, "ESLURMD_EXECVE_FAILED", "Slurmd could not execve job"},
	{ErrnoNodeIOError, "ESLURMD_IO_ERROR", "Slurmd could not connect IO"},
	{ErrnoNodePrologFailed, "ESLURMD_PROLOG_FAILED", "Job prolog failed"},
	{ErrnoNodeEpilogFailed, "ESLURMD_EPILOG_FAILED", "Job epilog failed"},
	{ErrnoNodeTooManySteps, "ESLURMD_TOOMANYSTEPS", "Too many job steps on node"},
	{ErrnoNodeStepExists, "ESLURMD_STEP_EXISTS", "Job step already exists"},
	{ErrnoNodeStepNotRunning, "ESLURMD_STEP_NOTRUNNING", "Job step not running"},
	{ErrnoNodeStepSuspended, "ESLURMD_STEP_SUSPENDED", "Job step is suspended"},
	{ErrnoNodeStepNotSuspended, "ESLURMD_STEP_NOTSUSPENDED", "Job step is not currently suspended"},
	{ErrnoNodeInvalidSocketNameLen, "ESLURMD_INVALID_SOCKET_NAME_LEN", "Unix socket name exceeded maximum length"},
	{ErrnoNodeContainerRuntimeInvalid, "ESLURMD_CONTAINER_RUNTIME_INVALID", "Container runtime not configured or invalid"},
	{ErrnoNodeCPUBindError, "ESLURMD_CPU_BIND_ERROR", "Unable to satisfy cpu bind request"},
	{ErrnoNodeCPULayoutError, "ESLURMD_CPU_LAYOUT_ERROR", "Unable to layout tasks on given cpus"},
	{ErrnoNodeStepdProxyFailed, "ESLURMD_STEPD_PROXY_FAILED", "Unable to proxy slurmstepd message"},
	{ErrnoProtocolSocketImplTimeout, "SLURM_PROTOCOL_SOCKET_IMPL_TIMEOUT", "Socket timed out on send/recv operation"},
	{ErrnoAuthCredInvalid, "ESLURM_AUTH_CRED_INVALID", "Invalid authentication credential"},
	{ErrnoDBConnection, "ESLURM_DB_CONNECTION", "Unable to connect to database"},
	{ErrnoJobsRunningOnAssoc, "ESLURM_JOBS_RUNNING_ON_ASSOC", "Job(s) active, cancel job(s) before remove"},
	{ErrnoDBQueryTooWide, "ESLURM_DB_QUERY_TOO_WIDE", "Too wide of a date range in query"},
	{ErrnoDBConnectionInvalid, "ESLURM_DB_CONNECTION_INVALID", "Database connection reference is invalid"},
	{ErrnoMissingTimeLimit, "ESLURM_MISSING_TIME_LIMIT", "Time limit specification required, but not provided"},
}
