package ctld

import (
	"path"

	"github.com/runink/rink/api/rinkpb"
)

// message is the name and the number of a message, Slurm's where it has one.
type message struct {
	name string
	id   uint32
}

// messages are Slurm's names and numbers for what a method asks. What Slurm has
// no message for goes by the method's own name and a number above Slurm's.
var messages = map[string]message{
	"Ping": {"REQUEST_PING", 1008}, "Submit": {"REQUEST_SUBMIT_BATCH_JOB", 4003}, "TestOnly": {"REQUEST_JOB_WILL_RUN", 4012},
	"ListJobs": {"REQUEST_JOB_INFO", 2003}, "ListNodes": {"REQUEST_NODE_INFO", 2007}, "ListPartitions": {"REQUEST_PARTITION_INFO", 2009},
	"GetConfig": {"REQUEST_BUILD_INFO", 2001}, "GetScript": {"REQUEST_BATCH_SCRIPT", 2051}, "Cancel": {"REQUEST_KILL_JOB", 5032},
	"Update": {"REQUEST_UPDATE_JOB", 3001}, "ModifyNode": {"REQUEST_UPDATE_NODE", 3002}, "RebootNodes": {"REQUEST_REBOOT_NODES", 1015}, "ModifyPartition": {"REQUEST_UPDATE_PARTITION", 3005},
	"Reconfigure": {"REQUEST_RECONFIGURE", 1003}, "CreateStep": {"REQUEST_JOB_STEP_CREATE", 5001}, "SignalStep": {"REQUEST_CANCEL_JOB_STEP", 5005},
	"CompleteJob": {"REQUEST_COMPLETE_JOB_ALLOCATION", 5017}, "Priorities": {"REQUEST_PRIORITY_FACTORS", 2026}, "Shares": {"REQUEST_SHARE_INFO", 2022},
	"ListReservations": {"REQUEST_RESERVATION_INFO", 2024}, "ModifyReservation": {"REQUEST_UPDATE_RESERVATION", 3009},
	"Act": {"REQUEST_UPDATE_JOB", 3001}, "Diag": {"REQUEST_STATS_INFO", 2035}, "Session": {"MESSAGE_NODE_REGISTRATION_STATUS", 1002}, "Bcast": {"REQUEST_JOB_SBCAST_CRED", 4023},
	"ListLicenses": {"RINK_LIST_LICENSES", 20001}, "ListRuns": {"RINK_LIST_RUNS", 20002}, "History": {"RINK_HISTORY", 20003},
	"Usage": {"RINK_USAGE", 20004}, "StepStats": {"RINK_STEP_STATS", 20005}, "ImportHistory": {"RINK_IMPORT_HISTORY", 20006}, "AmendHistory": {"RINK_AMEND_HISTORY", 20046},
	"StepIO": {"RINK_STEP_IO", 20007}, "ListAccounts": {"RINK_LIST_ACCOUNTS", 20008}, "ChangeAccounts": {"ACCOUNTING_UPDATE_MSG", 10001},
	"CreateToken": {"RINK_CREATE_TOKEN", 20009}, "UserToken": {"REQUEST_AUTH_TOKEN", 5039}, "Certify": {"RINK_CERTIFY", 20010}, "WaitJob": {"RINK_WAIT_JOB", 20011}, "Join": {"RINK_JOIN", 20012},
	"GetCrontab": {"REQUEST_CRONTAB", 2200}, "SetCrontab": {"REQUEST_UPDATE_CRONTAB", 2202},
	"SetTrigger": {"REQUEST_TRIGGER_SET", 2018}, "ListTriggers": {"REQUEST_TRIGGER_GET", 2019}, "ClearTriggers": {"REQUEST_TRIGGER_CLEAR", 2020},
	"Control": {"REQUEST_SET_DEBUG_LEVEL", 1012},
	"Explain": {"RINK_EXPLAIN", 20014}, "Standings": {"RINK_STANDINGS", 20015}, "ResetUsage": {"RINK_RESET_USAGE", 20016},
	"Metrics": {"RINK_METRICS", 20035}, "NodeMetrics": {"RINK_NODE_METRICS", 20036}, "Adopt": {"RINK_ADOPT", 20037},
	"Leaders": {"RINK_LEADERS", 20030}, "ListControllers": {"RINK_LIST_CONTROLLERS", 20031}, "ChangeControllers": {"REQUEST_TAKEOVER", 1015},
	"Enter": {"RINK_ENTER", 20032}, "Health": {"RINK_HEALTH", 20033}, "UseToken": {"RINK_USE_TOKEN", 20034}, "Halt": {"REQUEST_CONTROL", 1006},
	"Backup": {"RINK_BARN_BACKUP", 20040}, "Verify": {"RINK_BARN_VERIFY", 20041}, "Compare": {"RINK_BARN_COMPARE", 20042}, "Announce": {"RINK_ANNOUNCE", 20043},
	"HistoryRange": {"RINK_HISTORY_RANGE", 20044}, "Sums": {"RINK_SUMS", 20045},
}

// messageOf is what a call is counted as.
func messageOf(method string, req any) (string, uint32) {
	switch req := req.(type) {
	case *rinkpb.SubmitRequest:
		if len(req.Jobs) > 0 && !req.Jobs[0].Batch && path.Base(method) == "Submit" {
			return "REQUEST_RESOURCE_ALLOCATION", 4001
		}
	case *rinkpb.ListJobsRequest:
		if len(req.Refs) == 1 {
			return "REQUEST_JOB_INFO_SINGLE", 2021
		}
	case *rinkpb.ActRequest:
		switch req.Action {
		case rinkpb.ActRequest_REQUEUE:
			return "REQUEST_JOB_REQUEUE", 5023
		case rinkpb.ActRequest_SUSPEND, rinkpb.ActRequest_RESUME:
			return "REQUEST_SUSPEND", 5014
		}
		return "REQUEST_UPDATE_JOB", 3001
	case *rinkpb.ModifyReservationRequest:
		switch {
		case req.Create:
			return "REQUEST_CREATE_RESERVATION", 3006
		case req.Delete:
			return "REQUEST_DELETE_RESERVATION", 3008
		}
	}
	name := path.Base(method)
	if m, ok := messages[name]; ok {
		return m.name, m.id
	}
	return "RINK_" + name, 29999
}

// orderOf is what an order to an agent is called.
func orderOf(o *rinkpb.Order) message {
	switch o.Order.(type) {
	case *rinkpb.Order_Launch:
		return message{"REQUEST_BATCH_JOB_LAUNCH", 4005}
	case *rinkpb.Order_Step:
		return message{"REQUEST_LAUNCH_TASKS", 6001}
	case *rinkpb.Order_Signal:
		return message{"REQUEST_SIGNAL_TASKS", 6004}
	case *rinkpb.Order_End:
		return message{"REQUEST_TERMINATE_JOB", 6011}
	case *rinkpb.Order_Config:
		return message{"REQUEST_RECONFIGURE", 1003}
	}
	return message{"RINK_ORDER", 20013}
}
