package barn

import (
	"github.com/runink/rink/api"
	"github.com/runink/rink/api/rinkpb"
	"github.com/runink/rink/barn/state"
)

// setUserCommand puts into e a command that keeps what users want done later:
// crontabs and triggers.
func setUserCommand(e *rinkpb.Entry, cmd state.Command) error {
	switch c := cmd.(type) {
	case state.SetCrontab:
		m := &rinkpb.SetCrontab{Uid: c.UID, User: c.User, Text: c.Text}
		sub, err := submitToProto(c.Submit)
		if err != nil {
			return err
		}
		m.Submit = sub
		e.Cmd = &rinkpb.Entry_SetCrontab{SetCrontab: m}
	case state.DropCron:
		e.Cmd = &rinkpb.Entry_DropCron{DropCron: &rinkpb.DropCron{Job: uint32(c.Job)}}
	case state.SetTrigger:
		e.Cmd = &rinkpb.Entry_SetTrigger{SetTrigger: &rinkpb.SetTrigger{Trigger: api.TriggerToProto(&c.Trigger)}}
	case state.DropTriggers:
		e.Cmd = &rinkpb.Entry_DropTriggers{DropTriggers: &rinkpb.DropTriggers{Ids: c.IDs}}
	}
	return nil
}

// userCommandFrom is setUserCommand undone.
func userCommandFrom(e *rinkpb.Entry) (state.Command, error) {
	switch m := e.Cmd.(type) {
	case *rinkpb.Entry_SetCrontab:
		sub, err := submitFromProto(m.SetCrontab.GetSubmit())
		if err != nil {
			return nil, err
		}
		return state.SetCrontab{UID: m.SetCrontab.GetUid(), User: m.SetCrontab.GetUser(), Text: m.SetCrontab.GetText(), Submit: sub.(state.SubmitJobs)}, nil
	case *rinkpb.Entry_DropCron:
		var c state.DropCron
		setNumber(&c.Job, m.DropCron.GetJob())
		return c, nil
	case *rinkpb.Entry_SetTrigger:
		return state.SetTrigger{Trigger: *api.TriggerFromProto(m.SetTrigger.GetTrigger())}, nil
	case *rinkpb.Entry_DropTriggers:
		return state.DropTriggers{IDs: m.DropTriggers.GetIds()}, nil
	}
	return nil, ErrNewer
}
