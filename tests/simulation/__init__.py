"""The real handlers of all services in one process, in virtual time, with everything going wrong that can."""
