"""Users of a company."""

from app.users.avatar import Avatar, OwnAvatar
from app.users.resources import ChangeUser, CreateUser, Me, Users, UsersOfPosition

TAG = "users"
ENDPOINTS = (Users, CreateUser, ChangeUser, Me, UsersOfPosition, Avatar, OwnAvatar)
