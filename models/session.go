package models

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"gorm.io/gorm"
)

const (
	sessionIdle = 12 * time.Hour
	sessionLife = 7 * 24 * time.Hour
	// touchEvery is how often a session in use is written.
	touchEvery = time.Minute
)

type sessionRow struct {
	ID        int64 `gorm:"primaryKey"`
	Hash      string
	UserID    int64
	Address   string
	Agent     string
	CreatedAt int64 `gorm:"autoCreateTime:false"`
	LastSeen  int64
	ExpiresAt int64
}

func (sessionRow) TableName() string { return "sessions" }

// foundSession is a session with its user.
type foundSession struct {
	Row          sessionRow `gorm:"embedded"`
	UserName     string
	UserRole     string
	UserCreated  int64
	UserPassword int64
	UserSeen     int64
}

func (f *foundSession) session() Session {
	r := &f.Row
	return Session{ID: r.ID, UserID: r.UserID, User: f.UserName, Address: r.Address, Agent: r.Agent,
		CreatedAt: fromMillis(r.CreatedAt), LastSeen: fromMillis(r.LastSeen), ExpiresAt: fromMillis(min(r.ExpiresAt, r.LastSeen+sessionIdle.Milliseconds()))}
}

// sessionHash is how a session's secret is stored: it has 256 random bits, so that a
// plain hash gives nothing away.
func sessionHash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawStdEncoding.EncodeToString(sum[:])
}

// NewSession signs a user in and gives the secret for the cookie: 43 characters. It
// lives 12 hours from its last use and 7 days in all.
func (s *Store) NewSession(ctx context.Context, userID int64, address, agent string) (secret string, err error) {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	secret = base64.RawURLEncoding.EncodeToString(b)
	now := s.o.Now()
	row := sessionRow{Hash: sessionHash(secret), UserID: userID, Address: clip(address), Agent: cut(agent, 200), CreatedAt: millis(now), LastSeen: millis(now), ExpiresAt: millis(now.Add(sessionLife))}
	err = s.act(ctx, "signing in", func(tx *gorm.DB) error { return tx.Create(&row).Error })
	return secret, err
}

func cut(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

func (s *Store) liveSessions(ctx context.Context) *gorm.DB {
	now := s.o.Now()
	return s.read(ctx).Table("sessions").Joins("JOIN users ON users.id = sessions.user_id").
		Select("sessions.*, users.name AS user_name, users.role AS user_role, users.created_at AS user_created, users.password_at AS user_password, users.last_seen AS user_seen").
		Where("expires_at > ? AND sessions.last_seen > ?", millis(now), millis(now.Add(-sessionIdle)))
}

// SessionBySecret finds a live session and its user, and notes that it is in use;
// runner.ErrNotFound when it has ended or never was.
func (s *Store) SessionBySecret(ctx context.Context, secret string) (Session, User, error) {
	var row foundSession
	if err := s.liveSessions(ctx).Where("hash = ?", sessionHash(secret)).Take(&row).Error; err != nil {
		return Session{}, User{}, fail("reading a session", err)
	}
	if now := s.o.Now(); now.Sub(fromMillis(row.Row.LastSeen)) >= touchEvery {
		row.Row.LastSeen = millis(now)
		err := s.write(ctx, "noting the use of a session", func(tx *gorm.DB) error {
			return tx.Model(&sessionRow{}).Where("id = ?", row.Row.ID).Update("last_seen", row.Row.LastSeen).Error
		})
		if err != nil && ctx.Err() == nil {
			s.log.Warn("noting the use of a session", "error", err)
		}
	}
	user := userRow{ID: row.Row.UserID, Name: row.UserName, Role: row.UserRole, CreatedAt: row.UserCreated, PasswordAt: row.UserPassword, LastSeen: row.UserSeen}
	return row.session(), user.user(), nil
}

// Sessions lists live sessions of a user, or of all (0), last used first.
func (s *Store) Sessions(ctx context.Context, userID int64) ([]Session, error) {
	q := s.liveSessions(ctx)
	if userID != 0 {
		q = q.Where("sessions.user_id = ?", userID)
	}
	var rows []foundSession
	if err := q.Order("sessions.last_seen DESC, sessions.id DESC").Find(&rows).Error; err != nil {
		return nil, fail("listing sessions", err)
	}
	out := make([]Session, len(rows))
	for i := range rows {
		out[i] = rows[i].session()
	}
	return out, nil
}

// RevokeSession ends one session; runner.ErrNotFound when it is no more.
func (s *Store) RevokeSession(ctx context.Context, id int64) error {
	return s.act(ctx, "ending a session", func(tx *gorm.DB) error { return one(tx.Where("id = ?", id).Delete(&sessionRow{})) })
}

// RevokeUserSessions ends all sessions of a user.
func (s *Store) RevokeUserSessions(ctx context.Context, userID int64) error {
	return s.act(ctx, "ending sessions", func(tx *gorm.DB) error { return tx.Where("user_id = ?", userID).Delete(&sessionRow{}).Error })
}

// pruneSessions removes those that have ended.
func (s *Store) pruneSessions(ctx context.Context) error {
	now := s.o.Now()
	return s.write(ctx, "removing ended sessions", func(tx *gorm.DB) error {
		return tx.Where("expires_at <= ? OR last_seen <= ?", millis(now), millis(now.Add(-sessionIdle))).Delete(&sessionRow{}).Error
	})
}
