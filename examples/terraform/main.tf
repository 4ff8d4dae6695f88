# Edge images, instances and snapshots on a Calotype server. See README.md.

terraform {
  required_providers {
    alicloud = {
      source  = "aliyun/alicloud"
      version = ">= 1.240.0"
    }
  }
}

variable "endpoint" {
  description = "Host and port of the server, without a scheme."
  default     = "127.0.0.1:8470"
}

variable "access_key" {}

variable "secret_key" {
  sensitive = true
}

variable "node" {
  description = "An edge node of the server: see ens_region in its configuration."
  default     = "cn-chenzhou-telecom_unicom_cmcc"
}

variable "base_image" {
  description = "The image to start from: a system image of the server, or one that was imported."
  default     = "centos_6_08_64_20G_alibase_20171208"
}

provider "alicloud" {
  region     = "cn-hangzhou"
  access_key = var.access_key
  secret_key = var.secret_key

  # The server speaks plain HTTP unless it is told otherwise, and knows no other region list than its own.
  protocol               = "HTTP"
  skip_region_validation = true

  # Otherwise the provider asks the billing service, which is not served.
  account_type = "Domestic"

  endpoints {
    ens = var.endpoint
    ecd = var.endpoint
    sts = var.endpoint
  }
}

# A machine to build on.
resource "alicloud_ens_instance" "builder" {
  image_id            = var.base_image
  instance_name       = "builder"
  instance_type       = "ens.sn1.small"
  payment_type        = "PayAsYouGo"
  ens_region_id       = var.node
  schedule_area_level = "Region"
  amount              = 1
  password_inherit    = true

  internet_max_bandwidth_out = 10

  # Not below the size of the image.
  system_disk {
    category = "cloud_efficiency"
    size     = 40
  }

  tags = {
    role = "builder"
  }
}

# What was built, as an image.
resource "alicloud_ens_image" "golden" {
  image_name           = "golden"
  instance_id          = alicloud_ens_instance.builder.id
  target_oss_region_id = "cn-beijing"
}

# Machines that run it. Terraform releases them before it deletes the image: the server would refuse otherwise.
resource "alicloud_ens_instance" "web" {
  count = 2

  image_id            = alicloud_ens_image.golden.id
  instance_name       = "web-${count.index}"
  host_name           = "web-${count.index}"
  instance_type       = "ens.sn1.small"
  payment_type        = "PayAsYouGo"
  ens_region_id       = var.node
  schedule_area_level = "Region"
  amount              = 1
  password_inherit    = true

  internet_max_bandwidth_out = 10
}

output "image" {
  value = alicloud_ens_image.golden.id
}

output "instances" {
  value = alicloud_ens_instance.web[*].id
}

# A snapshot needs the id of a system disk, which the instance does not have among its attributes. Take it from
#   aliyun ens DescribeDisks --InstanceId INSTANCE --Type system
# and pass it: terraform apply -var system_disk=d-...
variable "system_disk" {
  default = ""
}

resource "alicloud_ens_snapshot" "nightly" {
  count = var.system_disk == "" ? 0 : 1

  disk_id       = var.system_disk
  ens_region_id = var.node
  snapshot_name = "nightly"
  description   = "Taken by Terraform"
}
