package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"

	"github.com/glebarez/sqlite"
	_ "github.com/lib/pq"
	"github.com/redis/go-redis/v9"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/mdzesseis/leaktrend/sampler"
)

var storeServices = []service{
	{name: "redis-client", resource: sampler.OpenFDs, library: "go-redis", work: readRedis, call: redisEach},
	{name: "redis-subscribe", resource: sampler.Goroutines, library: "go-redis", work: readRedis, call: redisSubscribe},
	{name: "sql-rows-cancelable", resource: sampler.Goroutines, library: "database/sql, lib/pq", work: queryAll,
		call: rowsCancelable},
	{name: "sql-rows-background", resource: sampler.OpenFDs, library: "database/sql, lib/pq", work: queryAll,
		call: rowsBackground},
	{name: "sql-open", resource: sampler.Goroutines, library: "database/sql, lib/pq", work: queryAll, call: openEach},
	{name: "sql-tx", resource: sampler.Goroutines, library: "database/sql, lib/pq", work: queryAll, call: openTx},
	{name: "sql-stmt", resource: sampler.HeapLiveBytes, library: "database/sql, glebarez/sqlite", work: querySQLite,
		call: keptStmt, rate: 10},
	{name: "gorm-open", resource: sampler.Goroutines, library: "gorm", work: findUsers, call: gormEach, rate: 1},
}

func readRedis(w *world) {
	c := once(w, "redis", func() *redis.Client { return redis.NewClient(&redis.Options{Addr: w.Redis}) })
	for range 4 {
		check(c.Set(context.Background(), "key", "value", 0).Err())
		check(c.Get(context.Background(), "key").Err())
	}
}

func redisEach(w *world) func() {
	c := redis.NewClient(&redis.Options{Addr: w.Redis}) // or: redis-client
	check(c.Incr(context.Background(), "n").Err())      // leak: redis-client
	w.kept = append(w.kept, c)
	return func() { w.kept = w.kept[1:]; c.Close() }
}

func redisSubscribe(w *world) func() {
	c := once(w, "redis", func() *redis.Client { return redis.NewClient(&redis.Options{Addr: w.Redis}) })
	sub := c.Subscribe(context.Background(), fmt.Sprint("user ", w.n)) // or: redis-subscribe
	events := sub.Channel()                                            // leak: redis-subscribe
	_ = events
	return func() { sub.Close() }
}

func postgres(w *world) *sql.DB {
	return once(w, "postgres", func() *sql.DB { return must(sql.Open("postgres", w.Postgres)) })
}

func queryAll(w *world) {
	for range 4 {
		rows := must(postgres(w).Query("SELECT name FROM users"))
		for rows.Next() {
			var name string
			check(rows.Scan(&name))
		}
		rows.Close()
	}
}

func rowsCancelable(w *world) func() {
	ctx, cancel := context.WithCancel(context.Background())
	rows := must(postgres(w).QueryContext(ctx, "SELECT name FROM users")) // leak: sql-rows-cancelable
	rows.Next()
	return func() { rows.Close(); cancel() }
}

func rowsBackground(w *world) func() {
	rows := must(postgres(w).Query("SELECT name FROM users WHERE active")) // leak: sql-rows-background
	rows.Next()
	w.kept = append(w.kept, rows)
	return func() { w.kept = w.kept[1:]; rows.Close() }
}

func openEach(w *world) func() {
	db := must(sql.Open("postgres", w.Postgres))     // leak: sql-open
	rows := must(db.Query("SELECT name FROM users")) // or: sql-open
	rows.Close()
	return func() { db.Close() }
}

func openTx(w *world) func() {
	ctx, cancel := context.WithCancel(context.Background())
	tx := must(postgres(w).BeginTx(ctx, nil)) // leak: sql-tx
	return func() { _ = tx.Rollback(); cancel() }
}

func lite(w *world) *sql.DB {
	return once(w, "sqlite", func() *sql.DB {
		db := must(sql.Open("sqlite", "file:"+filepath.Join(w.dir, "one.db")))
		db.SetMaxOpenConns(4)
		must(db.Exec("CREATE TABLE users (id INTEGER, name TEXT)"))
		must(db.Exec("INSERT INTO users VALUES (1, 'a'), (2, 'b')"))
		return db
	})
}

func querySQLite(w *world) {
	rows := must(lite(w).Query("SELECT name FROM users"))
	for rows.Next() {
	}
	rows.Close()
}

func keptStmt(w *world) func() {
	stmt := must(lite(w).Prepare(fmt.Sprintf("SELECT name FROM users WHERE id = %d", w.n))) // leak: sql-stmt
	w.kept = append(w.kept, stmt)
	return func() { w.kept = w.kept[1:]; stmt.Close() }
}

// user is a row of gorm's.
type user struct {
	ID   int
	Name string
}

func openGorm(w *world) *gorm.DB {
	// leak: gorm-open
	return must(gorm.Open(sqlite.Open(filepath.Join(w.dir, "two.db")), &gorm.Config{Logger: logger.Discard}))
}

func findUsers(w *world) {
	db := once(w, "gorm", func() *gorm.DB {
		db := openGorm(w)
		check(db.AutoMigrate(&user{}))
		return db
	})
	var found []user
	check(db.Where("id > ?", 1).Find(&found).Error)
}

func gormEach(w *world) func() {
	findUsers(w)
	db := openGorm(w)
	var found []user
	check(db.Limit(1).Find(&found).Error) // or: gorm-open
	return func() { must(db.DB()).Close() }
}
