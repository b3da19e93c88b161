variable "environment" {
  description = "Name of the environment, `environment`"
  type        = string
  default     = "hcb-dev"
}

variable "tenant" {
  description = "Tenant, part of the name of the instance, `TENANT_NAME`"
  type        = string
  default     = "csr-va"
}

variable "project" {
  description = "Google Cloud project, `PROJECT_ID`; anbc-{environment} if it is not said"
  type        = string
  default     = null
}

variable "instance" {
  description = "Bigtable instance, `INSTANCE_ID`; {tenant}-db-{environment} if it is not said"
  type        = string
  default     = null
}

variable "flag_table" {
  description = "Table of flags, `BT_TABLE_ID`"
  type        = string
  default     = "csr_va_feature_flag_bigtable"
}

variable "log_table" {
  description = "Table of the exposure log, `FF_LOG_TABLE_ID`"
  type        = string
  default     = "csr_va_feature_flag_service_operation_log"
}

variable "log_retention_days" {
  description = "How long exposures are kept"
  type        = number
  default     = 90
}

variable "zone" {
  description = "Zone of the cluster: one of the region that the service runs in"
  type        = string
  default     = "us-central1-b"
}

variable "min_nodes" {
  description = "Fewest nodes"
  type        = number
  default     = 1
}

variable "max_nodes" {
  description = "Most nodes"
  type        = number
  default     = 3
}

variable "owners" {
  description = "Who appends revisions of flags: members such as group:flag-owners@example.com"
  type        = list(string)
  default     = []
}

variable "auditors" {
  description = "Who reads flags and exposures, and changes nothing: members such as group:auditors@example.com"
  type        = list(string)
  default     = []
}
