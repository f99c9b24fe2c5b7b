// Package apitest fills values for tests of conversions: every field of a
// noun gets a value of its own, so that one that a conversion forgets or mixes
// up is seen.
package apitest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/runink/rink/sched"
	"github.com/runink/rink/slurm"
)

// Filler gives out values, no two alike where the type has room.
type Filler struct{ n int64 }

// Fill sets every exported field below v, which points to what is to be filled.
// It panics on a kind of field that it has no value for.
func (f *Filler) Fill(v any) { f.fill(reflect.ValueOf(v).Elem(), "") }

func (f *Filler) next() int64 { f.n++; return f.n }

// special has the types whose values are not a matter of their kind alone.
var special = map[reflect.Type]func(n int64) any{
	reflect.TypeFor[time.Time](): func(n int64) any { return time.Unix(1_700_000_000+n, n) },
	reflect.TypeFor[slurm.IndexSet](): func(n int64) any {
		return slurm.NewIndexSet(uint32(n), uint32(n)+2, uint32(n)+3)
	},
	reflect.TypeFor[slurm.Constraint](): func(n int64) any {
		c, err := slurm.ParseConstraint(fmt.Sprintf("f%d&g%d|(h&i)", n, n))
		if err != nil {
			panic(err)
		}
		return c
	},
	reflect.TypeFor[slurm.DependType]():  func(n int64) any { return slurm.DependType(n%int64(slurm.DependSingleton)) + 1 },
	reflect.TypeFor[sched.DependState](): func(n int64) any { return sched.DependState(n%int64(sched.DependFailed)) + 1 },
	reflect.TypeFor[sched.AdminLevel](): func(n int64) any {
		return sched.AdminLevel(n%int64(sched.AdminAdministrator)) + 1
	},
	reflect.TypeFor[sched.Holder](): func(n int64) any { return sched.Holder(n%int64(sched.HeldByAdmin)) + 1 },
}

func (f *Filler) fill(v reflect.Value, path string) {
	if make := special[v.Type()]; make != nil {
		v.Set(reflect.ValueOf(make(f.next())))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(fmt.Sprintf("text-%d", f.next()))
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(f.next())
	case reflect.Uint8:
		v.SetUint(uint64(f.next()%250) + 1)
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(f.next()))
	case reflect.Float64:
		v.SetFloat(float64(f.next()))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem(), path)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			f.fill(v.Index(i), path+"[]")
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key, path+"[key]")
			f.fill(value, path+"[]")
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() {
				panic(fmt.Sprintf("apitest: %s.%s of %v is not exported: give the type a value of its own", path, field.Name, v.Type()))
			}
			f.fill(v.Field(i), path+"."+field.Name)
		}
	default:
		panic(fmt.Sprintf("apitest: no value for %s, a %v", path, v.Type()))
	}
}
