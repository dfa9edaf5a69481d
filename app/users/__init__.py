"""Users of a company."""

from app.users.resources import Avatar, ChangeUser, CreateUser, Me, OwnAvatar, Users, UsersOfPosition

TAG = "users"
ENDPOINTS = (Users, CreateUser, ChangeUser, Me, UsersOfPosition, Avatar, OwnAvatar)
