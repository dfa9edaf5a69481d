"""Users of a company."""

from app.users.avatar import Avatar, OwnAvatar
from app.users.resources import Me, Users, UsersOfPosition

TAG = "users"
ENDPOINTS = (Users, Me, UsersOfPosition, Avatar, OwnAvatar)
