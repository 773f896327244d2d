package models

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"

	"gorm.io/gorm"
)

type userRow struct {
	ID         int64 `gorm:"primaryKey"`
	Name       string
	Role       string
	Password   string // argon2id
	CreatedAt  int64  `gorm:"autoCreateTime:false"`
	PasswordAt int64
	LastSeen   int64
}

func (userRow) TableName() string { return "users" }

func (r *userRow) user() User {
	return User{ID: r.ID, Name: r.Name, Role: Role(r.Role), CreatedAt: fromMillis(r.CreatedAt), PasswordAt: fromMillis(r.PasswordAt), LastSeen: fromMillis(r.LastSeen)}
}

// adminName is the user that first start makes.
const adminName = "admin"

var roles = []Role{RoleViewer, RoleOperator, RoleAdmin}

// Allows tells whether the role includes at least that one; an unknown role allows nothing.
func (r Role) Allows(least Role) bool {
	have, want := slices.Index(roles, r), slices.Index(roles, least)
	return have >= 0 && want >= 0 && have >= want
}

var userRule = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

func checkUser(name string, role Role) error {
	if !userRule.MatchString(name) {
		return &InvalidError{"name", "use 1 to 64 letters, digits, dots, underscores, hyphens and @; the first is a letter or a digit."}
	}
	return checkRole(role)
}

func checkRole(role Role) error {
	if !slices.Contains(roles, role) {
		return &InvalidError{"role", fmt.Sprintf("%q is not one of viewer, operator, admin.", clip(string(role)))}
	}
	return nil
}

func checkPassword(password string) error {
	if password == "" || len(password) > maxPassword || !utf8.ValidString(password) {
		return &InvalidError{"password", "use 1 to 1024 bytes of text."}
	}
	return nil
}

// firstAdmin makes the user admin when there is no user at all.
func (s *Store) firstAdmin(ctx context.Context) error {
	var n int64
	if err := s.read(ctx).Model(&userRow{}).Count(&n).Error; err != nil {
		return fail("counting users", err)
	}
	if n > 0 {
		return nil
	}
	password := s.o.AdminPassword
	if password == "" {
		password = randomPassword()
		s.password = password
	}
	_, err := s.CreateUser(ctx, adminName, password, RoleAdmin)
	return err
}

// Users lists all by name.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	var rows []userRow
	if err := s.read(ctx).Order("name").Find(&rows).Error; err != nil {
		return nil, fail("listing users", err)
	}
	out := make([]User, len(rows))
	for i := range rows {
		out[i] = rows[i].user()
	}
	return out, nil
}

// UserByName finds one, whatever the case of its letters.
func (s *Store) UserByName(ctx context.Context, name string) (User, error) {
	var row userRow
	err := s.read(ctx).Take(&row, "name = ?", name).Error
	return row.user(), fail("reading a user", err)
}

// CreateUser makes a user: *InvalidError, *NameTakenError.
func (s *Store) CreateUser(ctx context.Context, name, password string, role Role) (User, error) {
	if err := checkUser(name, role); err != nil {
		return User{}, err
	}
	if err := checkPassword(password); err != nil {
		return User{}, err
	}
	hash, err := hashPassword(password)
	if err != nil {
		return User{}, err
	}
	now := millis(s.o.Now())
	row := userRow{Name: name, Role: string(role), Password: hash, CreatedAt: now, PasswordAt: now}
	err = s.act(ctx, "creating a user", func(tx *gorm.DB) error { return tx.Create(&row).Error })
	if unique(err) {
		return User{}, &NameTakenError{Kind: "user", Name: name}
	}
	return row.user(), err
}

// SetPassword gives a user another password and ends all the user's sessions.
func (s *Store) SetPassword(ctx context.Context, id int64, password string) error {
	if err := checkPassword(password); err != nil {
		return err
	}
	hash, err := hashPassword(password)
	if err != nil {
		return err
	}
	err = s.act(ctx, "setting a password", func(tx *gorm.DB) error {
		if err := one(tx.Model(&userRow{}).Where("id = ?", id).Updates(map[string]any{"password": hash, "password_at": millis(s.o.Now())})); err != nil {
			return err
		}
		return tx.Where("user_id = ?", id).Delete(&sessionRow{}).Error
	})
	s.login.forget()
	return err
}

// SetRole gives a user another role: ErrLastAdmin.
func (s *Store) SetRole(ctx context.Context, id int64, role Role) error {
	if err := checkRole(role); err != nil {
		return err
	}
	return s.act(ctx, "setting a role", func(tx *gorm.DB) error {
		if role != RoleAdmin {
			if err := notLastAdmin(tx, id); err != nil {
				return err
			}
		}
		return one(tx.Model(&userRow{}).Where("id = ?", id).Update("role", string(role)))
	})
}

// DeleteUser removes a user with sessions and drafts: ErrLastAdmin.
func (s *Store) DeleteUser(ctx context.Context, id int64) error {
	err := s.act(ctx, "deleting a user", func(tx *gorm.DB) error {
		if err := notLastAdmin(tx, id); err != nil {
			return err
		}
		return one(tx.Where("id = ?", id).Delete(&userRow{}))
	})
	s.login.forget()
	return err
}

func notLastAdmin(tx *gorm.DB, id int64) error {
	var admins []int64
	if err := tx.Model(&userRow{}).Where("role = ?", RoleAdmin).Pluck("id", &admins).Error; err != nil {
		return err
	}
	if len(admins) == 1 && admins[0] == id {
		return ErrLastAdmin
	}
	return nil
}

// noted writes down a sign-in, at most once a minute.
func (s *Store) noted(ctx context.Context, row *userRow) {
	now := s.o.Now()
	if now.Sub(fromMillis(row.LastSeen)) < rememberFor {
		return
	}
	err := s.write(ctx, "noting a sign-in", func(tx *gorm.DB) error {
		return tx.Model(&userRow{}).Where("id = ?", row.ID).Update("last_seen", millis(now)).Error
	})
	if err != nil {
		s.log.Warn("noting a sign-in", "user", row.Name, "error", err)
	}
}
