<?php

/**
 * The front controller of the example Laminas application, for the web and, through Proletarier's module, for the command line:
 *
 *     composer install
 *     php public/index.php proletarier run
 *     php -S 127.0.0.1:8080 -t public
 */

declare(strict_types=1);

chdir(dirname(__DIR__));

require 'vendor/autoload.php';

Laminas\Mvc\Application::init(require 'config/application.config.php')->run();
