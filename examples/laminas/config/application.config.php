<?php

declare(strict_types=1);

return [
    'modules' => [
        'Laminas\Router',
        'Proletarier',
        'Application',
    ],
    'module_listener_options' => [
        'use_laminas_loader' => false,
        'config_glob_paths' => ['config/autoload/{{,*.}global,{,*.}local}.php'],
    ],
];
